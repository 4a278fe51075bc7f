//! Loop devices whose file is on a disk that does not answer any more.
//!
//! The kernel asks the file when it is asked about the device, so that neither says anything: what is left is
//! the name in sysfs. It is good enough to take a device away, and never to give one to somebody.

use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::{LoopDevice, ioctl, node};
use crate::sys::failure::{Doing, Result};

/// Says whether the answer is that of a disk which is gone, and not of the loop device.
pub(super) fn is_dead(errno: Errno) -> bool {
    matches!(errno, Errno::EIO | Errno::ESHUTDOWN | Errno::ESTALE)
}

/// Detaches the devices whose file cannot be asked about, and whose name in sysfs is meant. Returns whether
/// there were any. One that is in use still goes with its last user.
pub fn detach_lost(is_meant: impl Fn(&Path) -> bool) -> Result<bool> {
    let mut any = false;
    for device in node::attached()? {
        let Some(name) = name(&device).filter(|name| is_meant(name)) else { continue };
        let file = node::open(&device)?;
        if !matches!(ioctl::status(&file), Err(errno) if is_dead(errno)) {
            continue;
        }
        match ioctl::clear(&file) {
            Err(Errno::ENXIO) => {}
            answer => answer.doing(|| format!("detach {device}"))?,
        }
        tracing::warn!(%device, file = %name.display(), "detached: its disk does not answer");
        any = true;
    }
    Ok(any)
}

/// Returns the name of the file, which is one in the mount namespace that attached it.
fn name(device: &LoopDevice) -> Option<PathBuf> {
    let path = format!("/sys/dev/block/{}/loop/backing_file", device.number);
    Some(std::fs::read_to_string(path).ok()?.trim_end().into())
}
