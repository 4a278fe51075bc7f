//! Whether a disk or a file system still answers.
//!
//! Most of what a program asks of a file system is answered from memory, also when the disk below is gone. So a
//! block of a file is read past the page cache.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatxFlags, statx};
use rustix::io::Errno;

use super::failure::{Doing, Result};
use super::mountinfo::Mount;

/// As large and as aligned as any disk wants it.
const BLOCK: usize = 4096;

/// Reads the beginning of the file from its disk. It may never return.
pub fn read_from_disk(path: &Path) -> Result<()> {
    let doing = || format!("read {} from its disk", path.display());
    let mut room = vec![0_u8; 2 * BLOCK];
    let begin = room.as_ptr().align_offset(BLOCK);
    let block = room.get_mut(begin..begin + BLOCK).unwrap_or_default();
    let read = match open(path, OFlags::DIRECT) {
        // Not every file system can; then its cache has to do.
        Err(Errno::INVAL) => open(path, OFlags::empty()).doing(doing)?.read_at(block, 0),
        file => file.doing(doing)?.read_at(block, 0),
    };
    read.doing(doing).map(drop)
}

/// Asks the file system of the mount for its root, which one that has shut down refuses. It may never return.
///
/// What is covered by another mount cannot be asked, and says nothing.
pub fn ask_root(mount: &Mount) -> Result<()> {
    let doing = || format!("ask the file system at {}", mount.at.display());
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let root = rustix::fs::openat(CWD, &mount.at, flags, Mode::empty()).doing(doing)?;
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
    let found = statx(&root, "", AtFlags::EMPTY_PATH, wanted).doing(doing)?;
    let is_ours =
        found.stx_mask & StatxFlags::MNT_ID.bits() == 0 || found.stx_mnt_id == u64::from(mount.id);
    if is_ours {
        rustix::fs::fstatfs(&root).doing(doing)?;
    }
    Ok(())
}

fn open(path: &Path, flags: OFlags) -> Result<File, Errno> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | flags;
    rustix::fs::openat(CWD, path, flags, Mode::empty()).map(File::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_file_is_read_and_a_missing_one_is_an_error() {
        let room = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let file = room.path().join("file");
        std::fs::write(&file, "short").unwrap();
        read_from_disk(&file).unwrap();
        let missing = read_from_disk(&room.path().join("missing")).unwrap_err();
        assert!(missing.is_not_found());
    }
}
