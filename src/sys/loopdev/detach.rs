//! Detaches files from loop devices.

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
        // Read-only would outlive the file and meet whoever gets the device next.
        block::set_read_only_of(&file, false).doing(|| format!("make {device} writable again"))?;
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

/// Lets devices that have no file take writes again.
///
/// One that was made read-only, and was in use when its file was detached, keeps that beyond its last user. Then whoever
/// gets it next, be it another program of the machine, could not write.
pub fn mend_free() -> Result<()> {
    for device in node::all()? {
        let file = match is_read_only(&device) {
            Ok(false) => continue,
            Ok(true) => node::open(&device),
            Err(failure) => Err(failure),
        };
        let file = match file {
            // It is just being removed.
            Err(failure) if failure.is_not_found() || status::is_gone(&failure) => continue,
            answer => answer?,
        };
        // As long as it is open nobody can detach a file from it, and a file that can only be read is another matter.
        if status::of_open(&file, &device)?.is_none() {
            block::set_read_only_of(&file, false).doing(|| format!("make {device} writable"))?;
        }
    }
    Ok(())
}

/// Says whether the device itself refuses writes, whatever the file allows.
fn is_read_only(device: &LoopDevice) -> Result<bool> {
    let path = format!("/sys/dev/block/{}/ro", device.number);
    let text = std::fs::read_to_string(&path).doing(|| format!("read {path}"))?;
    Ok(text.trim() == "1")
}
