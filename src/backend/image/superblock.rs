//! How a pool's own XFS is told from anybody else's before it is mounted: by its UUID, which begins with our name.
//!
//! A device that bears any signature is refused, and after the first start our own device bears one. The label
//! would be twelve characters that an admin may set; mounting it to look inside would replay a foreign log.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::Path;

use uuid::{Builder, Uuid};

use crate::sys::failure::Doing;

/// The beginning of the UUID of every file system that was made for a pool.
const OURS: &[u8; 5] = b"orlop";

/// Where XFS writes its name, its UUID, and that mkfs has not ended yet.
const MAGIC: std::ops::Range<usize> = 0..4;
const UUID: std::ops::Range<usize> = 32..48;
const IN_PROGRESS: usize = 126;

/// Returns a UUID for the file system of a new pool.
pub(super) fn new_uuid() -> Uuid {
    let mut bytes = Uuid::new_v4().into_bytes();
    for (byte, ours) in bytes.iter_mut().zip(OURS) {
        *byte = *ours;
    }
    // Version 8 is the one whose bits have the meaning that their maker gives them.
    Builder::from_custom_bytes(bytes).into_uuid()
}

/// An XFS that was made for a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ours {
    /// It can be mounted.
    Whole,
    /// Whoever made it was killed before it was one.
    Unfinished,
}

/// Returns what the device or file holds of ours, or nothing when it holds something else or nothing at all.
pub(super) fn look(path: &Path) -> crate::sys::Result<Option<Ours>> {
    let doing = || format!("read the first block of {}", path.display());
    let file = File::open(path).doing(doing)?;
    let mut block = [0; 512];
    match file.read_exact_at(&mut block, 0) {
        Ok(()) => Ok(ours(&block)),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error).doing(doing),
    }
}

fn ours(block: &[u8]) -> Option<Ours> {
    let is_xfs = block.get(MAGIC)? == b"XFSB";
    let is_ours = is_xfs && block.get(UUID)?.starts_with(OURS);
    let state = if *block.get(IN_PROGRESS)? == 0 { Ours::Whole } else { Ours::Unfinished };
    is_ours.then_some(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_xfs_with_our_uuid_is_ours() {
        let mut block = [0; 512];
        block[UUID].copy_from_slice(new_uuid().as_bytes());
        assert_eq!(ours(&block), None);
        block[MAGIC].copy_from_slice(b"XFSB");
        assert_eq!(ours(&block), Some(Ours::Whole));
        block[IN_PROGRESS] = 1;
        assert_eq!(ours(&block), Some(Ours::Unfinished));
        block[UUID].copy_from_slice(Uuid::new_v4().as_bytes());
        block[UUID.start] = 0;
        assert_eq!(ours(&block), None);
        assert_eq!(ours(b"XFSB"), None);
    }

    #[test]
    fn a_uuid_of_ours_is_a_valid_one_and_new_each_time() {
        let uuid = new_uuid();
        assert_eq!(uuid.get_version_num(), 8);
        assert_ne!(uuid, new_uuid());
        assert!(uuid.to_string().starts_with("6f726c6f-70"));
    }
}
