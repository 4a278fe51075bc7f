//! How much of what is written to a block device may wait in memory until the device has it.
//!
//! Left alone, the kernel bounds that for the whole machine: gigabytes, as soon as there is memory. Of a device it can be
//! bounded strictly: whoever writes more then waits for the device, from Linux 6.2 on.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::failure::{Doing, Result};
use super::loopdev::LoopDevice;

/// A btrfs writes to its devices by itself, and is bounded in their place.
const BTRFS: &str = "/sys/fs/btrfs";

/// The share of the machine's bound that a device has where nobody says otherwise, in percent.
const ALL: &str = "100";

/// Lets at most about so many bytes wait for `device`. Does nothing where the kernel cannot.
pub fn bound(device: &LoopDevice, most: u64) -> Result<()> {
    for dir in those_of(device)? {
        write(&dir, "max_bytes", &most.to_string())?;
        write(&dir, "strict_limit", "1")?;
    }
    Ok(())
}

/// Takes that back.
pub fn unbound(device: &LoopDevice) -> Result<()> {
    for dir in those_of(device)? {
        if is_bound(&dir)? {
            write(&dir, "strict_limit", "0")?;
            write(&dir, "max_ratio", ALL)?;
        }
    }
    Ok(())
}

/// Returns the directories in which the kernel says how it writes to the device, and to the btrfs on it.
fn those_of(device: &LoopDevice) -> Result<Vec<PathBuf>> {
    let Some(name) = device.path.file_name() else { return Ok(Vec::new()) };
    let mut dirs = vec![Path::new("/sys/block").join(name).join("bdi")];
    let entries = match fs::read_dir(BTRFS) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(dirs),
        Err(error) => return Err(error).doing(|| format!("list {BTRFS}")),
    };
    let of_btrfs = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let on_device = of_btrfs.filter(|dir| dir.join("devices").join(name).exists());
    dirs.extend(on_device.map(|dir| dir.join("bdi")));
    Ok(dirs)
}

fn is_bound(dir: &Path) -> Result<bool> {
    let path = dir.join("strict_limit");
    let read =
        unless_missing(fs::read_to_string(&path)).doing(|| format!("read {}", path.display()))?;
    Ok(read.is_some_and(|text| text.trim() == "1"))
}

/// A file that is missing belongs to an older kernel, or to a device that is just going.
fn write(dir: &Path, name: &str, value: &str) -> Result<()> {
    let path = dir.join(name);
    let write = || {
        fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .and_then(|mut file| io::Write::write_all(&mut file, value.as_bytes()))
    };
    unless_missing(write()).doing(|| format!("write {value} to {}", path.display()))?;
    Ok(())
}

fn unless_missing<T>(answer: io::Result<T>) -> io::Result<Option<T>> {
    match answer {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        answer => answer.map(Some),
    }
}
