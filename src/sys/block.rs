//! What a block device says of itself.

#![expect(unsafe_code, reason = "BLKGETSIZE64 and BLKROSET have no wrapper in the crates we use")]

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;

use super::failure::{Doing, Result};

mod raw {
    nix::ioctl_read!(blkgetsize64, 0x12, 114, u64);
    nix::ioctl_write_ptr_bad!(blkroset, nix::request_code_none!(0x12, 93), nix::libc::c_int);
}

/// Returns the size of the block device at `device` in bytes.
pub fn size(device: &Path) -> Result<u64> {
    let file = open(device)?;
    let mut bytes = 0;
    // SAFETY: the descriptor is open for the whole call, and the kernel writes one u64 to the pointer.
    let answer = unsafe { raw::blkgetsize64(file.as_raw_fd(), &raw mut bytes) };
    answer.doing(|| format!("read the size of {}", device.display()))?;
    Ok(bytes)
}

/// Returns the size of the smallest piece that the device at `device` reads or writes.
pub fn logical_block_size(device: &Path) -> Result<u32> {
    logical_block_size_of(open(device)?)
        .doing(|| format!("read the block size of {}", device.display()))
}

/// Waits until everything written to the device at `device` is on the disk.
pub fn sync(device: &Path) -> Result<()> {
    open(device)?.sync_all().doing(|| format!("write {} to the disk", device.display()))
}

/// Lets the device at `device` refuse every write, or take them again.
///
/// That stays with the device's number whatever file it is attached to later: see [`super::loopdev`].
pub fn set_read_only(device: &Path, read_only: bool) -> Result<()> {
    let wanted = if read_only { "read-only" } else { "writable" };
    set_read_only_of(&open(device)?, read_only)
        .doing(|| format!("make {} {wanted}", device.display()))
}

/// Lets a device that is already open refuse every write, or take them again.
pub(super) fn set_read_only_of(device: &File, read_only: bool) -> nix::Result<()> {
    let flag = nix::libc::c_int::from(read_only);
    // SAFETY: the descriptor is open for the whole call, and the kernel reads one int from the pointer.
    unsafe { raw::blkroset(device.as_raw_fd(), &raw const flag) }.map(drop)
}

/// Returns the logical block size of a device that is already open.
pub(super) fn logical_block_size_of(device: impl AsFd) -> rustix::io::Result<u32> {
    rustix::fs::ioctl_blksszget(device)
}

/// Opens the device for reading, which is enough for each question and, unlike writing, tells udev nothing
/// when it is closed.
fn open(device: &Path) -> Result<File> {
    File::open(device).doing(|| format!("open {}", device.display()))
}
