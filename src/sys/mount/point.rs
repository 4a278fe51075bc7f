//! Whether a path is one at which something is mounted.

use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// Returns whether anything is mounted at the path, whose parent has no links in it.
///
/// The kernel is told to stop at the edge, so that what is mounted is not touched: it may hang. Where it does not say,
/// as for a parent that cannot be opened, something may be mounted.
pub fn is_mounted(path: &Path) -> bool {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return true };
    let place = OFlags::PATH | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(CWD, parent, place | OFlags::DIRECTORY, Mode::empty());
    let entry = opened.and_then(|parent| {
        let (flags, edge) = (place | OFlags::NOFOLLOW, ResolveFlags::NO_XDEV);
        rustix::fs::openat2(parent, name, flags, Mode::empty(), edge)
    });
    !matches!(entry, Ok(_) | Err(Errno::NOENT | Errno::NOTDIR))
}
