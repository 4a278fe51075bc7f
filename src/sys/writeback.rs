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

/// Lets at most about so many bytes wait for `device`, and for a btrfs on it. Does nothing where the kernel cannot.
pub fn bound(device: &LoopDevice, most: u64) -> Result<()> {
    for dir in of_device(device).into_iter().chain(of_btrfs(device)?) {
        write(&dir, "max_bytes", &most.to_string())?;
        write(&dir, "strict_limit", "1")?;
    }
    Ok(())
}

/// Takes that back.
pub fn unbound(device: &LoopDevice) -> Result<()> {
    let Some(dir) = of_device(device).filter(|dir| is_bound_in(dir)) else { return Ok(()) };
    // What a btrfs has goes with it; it is bound as long as its device is.
    for dir in of_btrfs(device)?.into_iter().chain([dir]) {
        write(&dir, "strict_limit", "0")?;
        write(&dir, "max_ratio", ALL)?;
    }
    Ok(())
}

/// Says whether what waits for the device is bounded strictly.
pub fn is_bound(device: &LoopDevice) -> bool {
    of_device(device).is_some_and(|dir| is_bound_in(&dir))
}

/// Returns the directory in which the kernel says how it writes to the device.
fn of_device(device: &LoopDevice) -> Option<PathBuf> {
    Some(Path::new("/sys/block").join(device.path.file_name()?).join("bdi"))
}

/// Returns the same of each btrfs on the device.
fn of_btrfs(device: &LoopDevice) -> Result<Vec<PathBuf>> {
    let Some(name) = device.path.file_name() else { return Ok(Vec::new()) };
    let entries = unless_missing(fs::read_dir(BTRFS)).doing(|| format!("list {BTRFS}"))?;
    let all = entries.into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let on_device = all.filter(|dir| dir.join("devices").join(name).exists());
    Ok(on_device.map(|dir| dir.join("bdi")).collect())
}

/// An older kernel has no such file.
fn is_bound_in(dir: &Path) -> bool {
    fs::read_to_string(dir.join("strict_limit")).is_ok_and(|text| text.trim() == "1")
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
