//! A file that is attached already.

use std::fs::File;

use linux_raw_sys::loop_device::LO_FLAGS_AUTOCLEAR;
use nix::errno::Errno;
use rustix::fs::FlockOperation;

use super::{AttachOptions, AttachedLoop, doing};
use crate::sys::failure::{Doing, Failure, Result};
use crate::sys::loopdev::{Backing, Image, LoopDevice, LoopStatus, ioctl, node, status};

/// Returns `device` if it has the file `backing` still, in the way that was asked for.
pub(super) fn attach(
    device: &LoopDevice,
    backing: Backing,
    image: Image<'_>,
    options: AttachOptions,
) -> Result<Option<AttachedLoop>> {
    let file = node::open(device)?;
    // From here on it stays attached, because we have it open; but it may have been too late.
    let found = status::of_open(&file, device)?.filter(|found| found.backing == backing);
    let Some(found) = found else { return Ok(None) };
    if let Some(difference) = difference(&found, options) {
        return Err(Failure::refused(doing(image), format!("it is behind {device}, {difference}")));
    }
    if !set_autoclear(&file, device, options.autoclear)? {
        return Ok(None);
    }
    // Best effort: the device may be in use for long, and then udev has seen it long ago.
    if let Err(errno) = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        tracing::debug!(%device, %errno, "reused without a lock");
    }
    Ok(Some(AttachedLoop::new(device.clone(), found, true, file)))
}

/// Says what makes the device useless for the purpose, in words that follow its name.
fn difference(found: &LoopStatus, wanted: AttachOptions) -> Option<String> {
    let LoopStatus { offset, size_limit, block_size, .. } = *found;
    if offset != 0 || size_limit != 0 {
        Some(format!("which begins at byte {offset} and ends after {size_limit}"))
    } else if block_size != wanted.block_size {
        Some(format!("whose blocks have {block_size} bytes and not {}", wanted.block_size))
    } else if found.read_only && !wanted.read_only {
        Some("which can only be read".to_owned())
    } else {
        None
    }
}

/// Sees to it that the device stays, or goes, when its last user is gone: one that was detached while it was
/// mounted is on its way out, and would leave the next user behind. Returns whether a file is attached still.
fn set_autoclear(file: &File, device: &LoopDevice, autoclear: bool) -> Result<bool> {
    const AUTOCLEAR: u32 = LO_FLAGS_AUTOCLEAR as u32;
    let doing = || format!("change the flags of {device}");
    let mut info = match ioctl::status(file) {
        Err(Errno::ENXIO) => return Ok(false),
        answer => answer.doing(doing)?,
    };
    if (info.lo_flags & AUTOCLEAR != 0) != autoclear {
        info.lo_flags ^= AUTOCLEAR;
        ioctl::set_status(file, &info).doing(doing)?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_device_that_serves_is_reused() {
        let backing = Backing { dev: 1, ino: 2 };
        let good = LoopStatus {
            backing,
            offset: 0,
            size_limit: 0,
            read_only: false,
            autoclear: true,
            direct_io: false,
            block_size: 4096,
        };
        let wanted =
            AttachOptions { read_only: false, block_size: 4096, direct_io: true, autoclear: false };
        let for_reading = AttachOptions { read_only: true, ..wanted };
        let read_only = LoopStatus { read_only: true, ..good };
        for (found, wanted, serves) in [
            (good, wanted, true),
            (good, for_reading, true),
            (read_only, for_reading, true),
            (read_only, wanted, false),
            (LoopStatus { offset: 512, ..good }, wanted, false),
            (LoopStatus { size_limit: 512, ..good }, wanted, false),
            (LoopStatus { block_size: 512, ..good }, wanted, false),
        ] {
            assert_eq!(difference(&found, wanted).is_none(), serves, "{found:?}");
        }
    }
}
