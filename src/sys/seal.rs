//! A file that does not change any more, and the proof that it did not.
//!
//! The kernel lets nobody open an immutable file for writing, change where its bytes lie, or its name, not even root:
//! `rm`, a defragmenter and a deduplicator are refused alike. What was open for writing before stays so: whoever
//! relies on the flag asks for such writers once it is set. Whoever takes that flag off or puts it on changes the
//! inode's ctime, which nobody can set. So a file that is immutable, and has the ctime that it had once when it was
//! immutable, is what it was then. (Before Linux 6.13 a ctime has the precision of a tick, so that whoever does all
//! that within four milliseconds of the first time would not be seen.)

use std::fs::File;

use rustix::fs::{AtFlags, IFlags, Statx, StatxAttributes, StatxFlags, ioctl_getflags};
use rustix::fs::{ioctl_setflags, statx};

use super::failure::{Doing, Result};

/// What an immutable file is known by: two equal ones prove that nothing about the file has changed in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal {
    /// The number of the inode.
    pub inode: u64,
    /// When the inode changed last: seconds since 1970, and nanoseconds.
    pub changed: (i64, u32),
    /// How many bytes the file has.
    pub length: u64,
}

/// Makes the file immutable, and returns what it is known by. EPERM without `CAP_LINUX_IMMUTABLE`, ENOTTY or
/// EOPNOTSUPP where the file system has no such flag.
pub fn set(file: &File) -> Result<Option<Seal>> {
    let flags = ioctl_getflags(file).doing(|| "read the flags of a file")?;
    ioctl_setflags(file, flags | IFlags::IMMUTABLE).doing(|| "make a file immutable")?;
    of(file)
}

/// Returns what the file is known by, or nothing when it is not immutable.
pub fn of(file: &File) -> Result<Option<Seal>> {
    let wanted = StatxFlags::INO | StatxFlags::CTIME | StatxFlags::SIZE;
    let stat = statx(file, "", AtFlags::EMPTY_PATH, wanted).doing(|| "look at a file")?;
    Ok(is_immutable(&stat).then_some(Seal {
        inode: stat.stx_ino,
        changed: (stat.stx_ctime.tv_sec, stat.stx_ctime.tv_nsec),
        length: stat.stx_size,
    }))
}

/// Lets the file be changed again, if it is immutable. Returns whether it was.
pub fn lift(file: &File) -> Result<bool> {
    if of(file)?.is_none() {
        return Ok(false);
    }
    let flags = ioctl_getflags(file).doing(|| "read the flags of a file")?;
    ioctl_setflags(file, flags - IFlags::IMMUTABLE).doing(|| "let a file be changed again")?;
    Ok(true)
}

/// Says whether the file is one that the kernel lets nobody change.
pub(super) fn is_immutable(stat: &Statx) -> bool {
    stat.stx_attributes.contains(StatxAttributes::IMMUTABLE)
}
