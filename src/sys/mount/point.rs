//! What is known of a path without touching what is mounted there, which may hang.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, StatxFlags};
use rustix::io::Errno;

const PLACE: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// Returns whether anything is mounted at the path, whose parent has no links in it.
///
/// Where the kernel does not say, as for a parent that cannot be opened, something may be mounted.
pub fn is_mounted(path: &Path) -> bool {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return true };
    let entry = open(parent).and_then(|parent| {
        let (flags, edge) = (PLACE | OFlags::NOFOLLOW, ResolveFlags::NO_XDEV);
        rustix::fs::openat2(parent, name, flags, Mode::empty(), edge)
    });
    !matches!(entry, Ok(_) | Err(Errno::NOENT | Errno::NOTDIR))
}

/// Returns the id of the mount that the path's parent is in, by which a mount that can be seen at the path is told from
/// one that lies hidden below another parent of that name.
pub fn mount_of_parent(path: &Path) -> Option<u32> {
    let parent = open(path.parent()?).ok()?;
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
    let told = rustix::fs::statx(parent, "", flags, StatxFlags::MNT_ID).ok()?;
    let is_told = StatxFlags::from_bits_retain(told.stx_mask).contains(StatxFlags::MNT_ID);
    u32::try_from(told.stx_mnt_id).ok().filter(|_| is_told)
}

fn open(parent: &Path) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(CWD, parent, PLACE | OFlags::DIRECTORY, Mode::empty())
}
