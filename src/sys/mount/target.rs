//! The last step of every mount: a finished one is put where it shall be seen.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::MoveMountFlags;

/// Puts the finished but still invisible `mount` at `target`.
///
/// The place is opened first and then used by its descriptor: a pod may own a directory above it, and a link
/// put there between the look and the mount must not lead us elsewhere.
pub(super) fn attach(mount: impl AsFd, target: &Path) -> Result<(), Errno> {
    let place = open(target)?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(mount, "", place, "", flags)
}

/// Opens `target` itself. Links on the way to it are followed (kubelet's directory may be one), but not a link
/// that stands in its place.
fn open(target: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let place = rustix::fs::openat(CWD, target, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&place)?;
    // With O_PATH the kernel opens the link itself instead of refusing it.
    if FileType::from_raw_mode(stat.st_mode).is_symlink() {
        return Err(Errno::LOOP);
    }
    Ok(place)
}
