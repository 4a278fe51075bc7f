//! Copies that share their bytes with the original until one of the two is written.

#![expect(unsafe_code, reason = "no crate that we use wraps FICLONERANGE")]

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::Path;

use linux_raw_sys::general::file_clone_range;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;

use crate::sys::failure::{Doing, Failure, Result};

/// How much is cloned in one call, so that a limit on a frozen file system can be looked at between two. What a
/// call costs goes by the number of extents: tens of thousands of them take half a second.
pub const PIECE: u64 = 1 << 30;

mod raw {
    use linux_raw_sys::general::file_clone_range;
    nix::ioctl_write_ptr!(ficlonerange, 0x94, 13, file_clone_range);
}

/// Makes the bytes of `dst` from `offset` on the same as those of `src`, by sharing them.
///
/// Offset and length must be whole blocks, but the length may end where `src` ends. EXDEV, EOPNOTSUPP and
/// EINVAL say that these two files cannot share.
pub fn clone_range(src: &File, dst: &File, offset: u64, len: u64) -> Result<()> {
    // The kernel takes zero for "all that is left".
    if len == 0 {
        return Ok(());
    }
    let request = file_clone_range {
        src_fd: src.as_raw_fd().into(),
        src_offset: offset,
        src_length: len,
        dest_offset: offset,
    };
    // SAFETY: both descriptors are open for the whole call, and the kernel reads one structure laid out as it
    // expects.
    let answer = unsafe { raw::ficlonerange(dst.as_raw_fd(), &raw const request) };
    answer.map(drop).doing(|| format!("share {len} bytes at {offset} with a copy"))
}

/// Cuts a file of `len` bytes into pieces for [`clone_range`]: offsets and lengths.
pub fn pieces(len: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..len.div_ceil(PIECE)).map(move |index| {
        let offset = index * PIECE;
        (offset, PIECE.min(len - offset))
    })
}

/// Says whether files in the directory `dir` can share their bytes, by trying it with two that have no name.
pub fn supports_reflink(dir: &Path) -> Result<bool> {
    match try_reflink(dir) {
        Ok(()) => Ok(true),
        Err(failure) if is_unable(&failure) => Ok(false),
        Err(failure) => Err(failure),
    }
}

fn try_reflink(dir: &Path) -> Result<()> {
    const BLOCK: [u8; 4096] = [0xA5; 4096];
    let doing = || format!("try whether files in {} can share their bytes", dir.display());
    let unnamed = || {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        rustix::fs::openat(CWD, dir, flags, mode).map(File::from).doing(doing)
    };
    let (mut src, dst) = (unnamed()?, unnamed()?);
    src.write_all(&BLOCK).doing(doing)?;
    clone_range(&src, &dst, 0, BLOCK.len() as u64)
}

/// The file system has no files without a name, does not know the call, or knows and cannot.
pub(super) fn is_unable(failure: &Failure) -> bool {
    matches!(
        failure.errno(),
        Some(Errno::OPNOTSUPP | Errno::NOTTY | Errno::INVAL | Errno::NOSYS | Errno::XDEV)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_a_file_once() {
        for (len, expected) in [
            (0, vec![]),
            (1, vec![(0, 1)]),
            (PIECE, vec![(0, PIECE)]),
            (PIECE + 4096, vec![(0, PIECE), (PIECE, 4096)]),
            (3 * PIECE, vec![(0, PIECE), (PIECE, PIECE), (2 * PIECE, PIECE)]),
        ] {
            assert_eq!(pieces(len).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn a_file_system_without_sharing_is_no_error() {
        assert!(!supports_reflink(Path::new("/dev/shm")).unwrap());
        assert!(supports_reflink(Path::new("/nonexistent")).unwrap_err().is_not_found());
    }
}
