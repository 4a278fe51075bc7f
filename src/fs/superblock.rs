//! What a file system says of itself in its superblock, read without a program and without mounting it.
//!
//! The parsers are pure: bytes in, values out, nothing when the bytes are not of that file system. They read
//! only the fields that a decision hangs on.

pub(super) mod btrfs;
pub(super) mod ext4;
mod field;
pub(super) mod xfs;

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::Error;
use crate::sys::Doing;
use crate::volume::FsType;

/// Returns which of our file systems the image at `path` holds, if it is one of them.
pub fn held_by(path: &Path) -> Result<Option<FsType>, Error> {
    for fs in FsType::ALL {
        match read_size(path, fs) {
            Ok(_) => return Ok(Some(fs)),
            Err(Error::Foreign { .. }) => {}
            // It is too short to hold this one.
            Err(Error::Kernel(failure)) if failure.source.kind() == ErrorKind::UnexpectedEof => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Returns the `length` bytes at `offset` of the image or device at `path`.
fn read(path: &Path, offset: u64, length: usize) -> Result<Vec<u8>, Error> {
    let doing = || format!("read the superblock at byte {offset} of {}", path.display());
    let mut block = vec![0; length];
    let file = File::open(path).doing(doing)?;
    file.read_exact_at(&mut block, offset).doing(doing)?;
    Ok(block)
}

/// Returns the size of the file system at `path` in bytes.
pub(super) fn read_size(path: &Path, fs: FsType) -> Result<u64, Error> {
    Ok(match fs {
        FsType::Xfs => read_xfs(path)?.size(),
        FsType::Ext4 => read_ext4(path)?.size(),
        FsType::Btrfs => read_btrfs(path)?.size,
    })
}

/// Returns the superblock of the XFS at `path`.
pub(super) fn read_xfs(path: &Path) -> Result<xfs::Superblock, Error> {
    let block = read(path, xfs::OFFSET, xfs::LENGTH)?;
    xfs::parse(&block).ok_or_else(|| foreign(path, FsType::Xfs))
}

/// Returns the copy of the superblock of the XFS at `path` that is in its last allocation group.
pub(super) fn read_last_xfs(path: &Path) -> Result<xfs::Superblock, Error> {
    let block = read(path, read_xfs(path)?.last_copy(), xfs::LENGTH)?;
    xfs::parse(&block).ok_or_else(|| foreign(path, FsType::Xfs))
}

/// Returns the superblock of the ext4 at `path`.
pub(super) fn read_ext4(path: &Path) -> Result<ext4::Superblock, Error> {
    let block = read(path, ext4::OFFSET, ext4::LENGTH)?;
    ext4::parse(&block).ok_or_else(|| foreign(path, FsType::Ext4))
}

/// Returns the superblock of the btrfs at `path`.
pub(super) fn read_btrfs(path: &Path) -> Result<btrfs::Superblock, Error> {
    let block = read(path, btrfs::OFFSETS[0], btrfs::LENGTH)?;
    btrfs::parse(&block).ok_or_else(|| foreign(path, FsType::Btrfs))
}

/// Returns the error of a path that holds something else.
pub(super) fn foreign(path: &Path, fs: FsType) -> Error {
    Error::Foreign { path: path.to_owned(), fs }
}
