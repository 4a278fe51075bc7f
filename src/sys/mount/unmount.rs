//! Takes mounts away.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;

use linux_raw_sys::general::UMOUNT_NOFOLLOW;
use rustix::io::Errno;
use sys_mount::UnmountFlags;

use crate::sys::beneath::Dir;
use crate::sys::failure::{Failure, Result};

/// The flag that keeps the kernel from following a link at the target.
///
/// It is spelled out because `UnmountFlags::NOFOLLOW` of sys-mount 3.1 is the value of `O_NOFOLLOW`. The kernel
/// answers EINVAL to that, which we would take for "nothing is mounted there".
#[expect(clippy::cast_possible_wrap, reason = "the value is 8")]
const NOFOLLOW: UnmountFlags = UnmountFlags::from_bits_retain(UMOUNT_NOFOLLOW as i32);

/// Whether an unmount waits until nobody uses the mount any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// EBUSY when somebody does.
    WhenFree,
    /// It is taken out of sight at once; whoever has something open in it keeps that.
    AtOnce,
}

/// Takes the topmost mount at the entry `name` of the open directory away. Returns whether there was one.
pub fn unmount_in(dir: &Dir, name: &OsStr, how: How) -> Result<bool> {
    let flags = match how {
        How::WhenFree => NOFOLLOW,
        How::AtOnce => NOFOLLOW | UnmountFlags::DETACH,
    };
    // The call knows paths only: this one begins at the open directory and has one more component.
    let path = Path::new("/proc/thread-self/fd").join(dir.as_fd().as_raw_fd().to_string());
    match sys_mount::unmount(path.join(name), flags) {
        Ok(()) => Ok(true),
        Err(error) if is_nothing_there(&error) => Ok(false),
        Err(error) => Err(Failure::new(format!("unmount {}", dir.path_of(name).display()), error)),
    }
}

/// Takes the topmost mount at `target` away. Returns whether there was one.
///
/// A link at `target` is not followed, and is no mount.
pub fn unmount(target: &Path) -> Result<bool> {
    match sys_mount::unmount(target, NOFOLLOW) {
        Ok(()) => Ok(true),
        Err(error) if is_nothing_there(&error) => Ok(false),
        Err(error) => Err(Failure::new(format!("unmount {}", target.display()), error)),
    }
}

/// Takes every mount at `target` away, the topmost first. Returns how many there were.
pub fn unmount_all(target: &Path) -> Result<u32> {
    let mut count = 0;
    while unmount(target)? {
        count += 1;
    }
    Ok(count)
}

fn is_nothing_there(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::INVAL | Errno::NOENT))
}
