//! Takes mounts away.

use std::io;
use std::path::Path;

use linux_raw_sys::general::UMOUNT_NOFOLLOW;
use rustix::io::Errno;
use sys_mount::UnmountFlags;

use crate::sys::failure::{Failure, Result};

/// The flag that keeps the kernel from following a link at the target.
///
/// It is spelled out because `UnmountFlags::NOFOLLOW` of sys-mount 3.1 is the value of `O_NOFOLLOW`. The kernel
/// answers EINVAL to that, which we would take for "nothing is mounted there".
#[expect(clippy::cast_possible_wrap, reason = "the value is 8")]
const NOFOLLOW: UnmountFlags = UnmountFlags::from_bits_retain(UMOUNT_NOFOLLOW as i32);

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
