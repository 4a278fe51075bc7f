//! Detaches files from loop devices.

use std::fs::File;
use std::time::Duration;

use nix::errno::Errno;

use super::{Backing, Image, LoopDevice, ioctl, node, status};
use crate::sys::block;
use crate::sys::failure::{Doing, Result};
use crate::sys::patience;

/// How long we look whether a device is free after it was cleared. udev looks into devices for some milliseconds,
/// and a program that is just being started has copies of what we had open; whoever keeps one for longer is using
/// it.
const STILL_USED: Duration = Duration::from_secs(2);

/// Detaches the file from `device`. Returns whether it is free; if not, it becomes free when its last user
/// (a mount, an open file) is gone.
///
/// The device may belong to another file by now if the caller's knowledge of it is old: who has the image
/// uses [`detach_image`].
pub fn detach(device: &LoopDevice) -> Result<bool> {
    match status::status(device)? {
        Some(found) => detach_backing(device, found.backing),
        None => Ok(true),
    }
}

/// Detaches `image` from every loop device. Returns whether none has it any more.
pub fn detach_image<'a>(image: impl Into<Image<'a>>) -> Result<bool> {
    let backing = Backing::of(image)?;
    let mut free = true;
    for device in status::find(&backing)? {
        free &= detach_backing(&device, backing)?;
    }
    Ok(free)
}

fn detach_backing(device: &LoopDevice, backing: Backing) -> Result<bool> {
    let is_ours = |status: super::LoopStatus| status.backing == backing;
    let was_read_only = is_read_only(device)?;
    {
        let file = node::open(device)?;
        // As long as it is open the device cannot be given to another file.
        if !status::of_open(&file, device)?.is_some_and(is_ours) {
            return Ok(true);
        }
        make_writable(&file, device)?;
        match ioctl::clear(&file) {
            Err(Errno::ENXIO) => return Ok(true),
            answer => answer.doing(|| format!("detach {device}"))?,
        }
    }
    // The answer is no proof: of a device in use the kernel only remembers that it is to be detached later.
    let is_free = || Ok((!status::status(device)?.is_some_and(is_ours)).then_some(()));
    let freed = patience::within(STILL_USED, is_free)?.is_some();
    if !freed && was_read_only {
        // Whoever uses it still is not to write to it from now on.
        let file = node::open(device)?;
        if status::of_open(&file, device)?.is_some_and(is_ours) {
            block::set_read_only_of(&file, true).doing(|| format!("make {device} read-only"))?;
        }
    }
    Ok(freed)
}

/// Lets a device that has no file take writes again.
///
/// The kernel keeps that with the device's number. One that was made read-only, and was in use when its file was
/// detached, keeps it beyond its last user; then whoever gets the device next could not write.
pub fn mend(device: &LoopDevice) -> Result<()> {
    match mend_if_free(device) {
        // It was removed meanwhile.
        Err(failure) if failure.is_not_found() || status::is_gone(&failure) => Ok(()),
        answer => answer,
    }
}

/// Does so with all devices that have no file.
pub fn mend_all() -> Result<()> {
    node::all()?.try_for_each(|device| mend(&device))
}

fn mend_if_free(device: &LoopDevice) -> Result<()> {
    if !is_read_only(device)? {
        return Ok(());
    }
    let file = node::open(device)?;
    // As long as it is open its file cannot be detached. One that can only be read is another matter.
    if status::of_open(&file, device)?.is_none() {
        make_writable(&file, device)?;
    }
    Ok(())
}

/// Read-only would outlive the file and meet whoever gets the device next.
fn make_writable(file: &File, device: &LoopDevice) -> Result<()> {
    block::set_read_only_of(file, false).doing(|| format!("make {device} writable again"))
}

/// Says whether the device itself refuses writes, whatever the file allows.
fn is_read_only(device: &LoopDevice) -> Result<bool> {
    let path = format!("/sys/dev/block/{}/ro", device.number);
    let text = std::fs::read_to_string(&path).doing(|| format!("read {path}"))?;
    Ok(text.trim() == "1")
}
