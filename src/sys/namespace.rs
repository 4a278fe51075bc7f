//! Where this process stands: in the machine itself, or in a container.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;

/// The number that the kernel gives to the first process id namespace, on every machine.
const FIRST_PID_NAMESPACE: u64 = 0xEFFF_FFFC;

/// Says whether what this process mounts is mounted for the machine: it shares the mounts of the machine's first
/// process. What cannot be read is not so.
pub fn has_the_machines_mounts() -> bool {
    let inode = |path: &str| fs::metadata(path).map(|namespace| namespace.ino());
    let shares = || -> io::Result<bool> {
        let is_first = inode("/proc/self/ns/pid")? == FIRST_PID_NAMESPACE;
        Ok(is_first && inode("/proc/self/ns/mnt")? == inode("/proc/1/ns/mnt")?)
    };
    shares().unwrap_or(false)
}
