//! Gives a copy of a btrfs another UUID, by rewriting its superblocks and nothing else.
//!
//! This is what `btrfstune -M` does, but for one difference, which is why that program is not used: it also
//! counts the generation up. A log that is still to be replayed belongs to the next generation, and after it
//! the file system cannot be mounted any more; mounting it before, to replay the log, would show the kernel two
//! devices with one UUID.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crc32c::crc32c;
use uuid::Uuid;

use crate::fs::Error;
use crate::fs::superblock::btrfs::{
    CHECKSUMMED, FSID, INCOMPAT, INCOMPAT_METADATA_UUID, LENGTH, METADATA_UUID, OFFSETS,
    Superblock, parse,
};
use crate::fs::superblock::foreign;
use crate::sys::Doing;
use crate::volume::FsType;

/// How a superblock says that its checksum is a CRC-32C.
const CRC32C: u16 = 0;

/// Gives the btrfs on `image` this UUID.
pub(super) fn set_uuid(image: &Path, uuid: Uuid) -> Result<(), Error> {
    let doing = || format!("rewrite the superblocks of {}", image.display());
    let file = OpenOptions::new().read(true).write(true).open(image).doing(doing)?;
    let length = file.metadata().doing(doing)?.len();
    let there = OFFSETS.into_iter().filter(|offset| offset + LENGTH as u64 <= length);
    // The first one last: it is the one that is mounted and read back.
    for offset in there.rev() {
        rewrite(&file, image, offset, uuid)?;
    }
    Ok(file.sync_all().doing(doing)?)
}

/// Rewrites the superblock at `offset`, in one write of one block.
fn rewrite(file: &File, image: &Path, offset: u64, uuid: Uuid) -> Result<(), Error> {
    let doing = || format!("rewrite the superblock at byte {offset} of {}", image.display());
    let mut block = [0; LENGTH];
    file.read_exact_at(&mut block, offset).doing(doing)?;
    let Some(superblock) = parse(&block) else {
        // The image is larger than its file system: a copy out here comes when that has grown.
        return if offset == OFFSETS[0] { Err(foreign(image, FsType::Btrfs)) } else { Ok(()) };
    };
    if superblock.checksum_type != CRC32C || !block.starts_with(&sum(&block)) {
        return Err(Error::BadChecksum { path: image.to_owned(), offset });
    }
    rename(&mut block, &superblock, uuid);
    Ok(file.write_all_at(&block, offset).doing(doing)?)
}

/// Writes the UUID into the block. The one that all other blocks carry is kept beside it.
fn rename(block: &mut [u8; LENGTH], superblock: &Superblock, uuid: Uuid) {
    let incompat = superblock.incompat | INCOMPAT_METADATA_UUID;
    put(block, INCOMPAT, &incompat.to_le_bytes());
    put(block, METADATA_UUID, superblock.metadata_uuid.as_bytes());
    put(block, FSID, uuid.as_bytes());
    let new = sum(block);
    put(block, 0, &new);
}

fn put(block: &mut [u8; LENGTH], at: usize, bytes: &[u8]) {
    for (to, from) in block.iter_mut().skip(at).zip(bytes) {
        *to = *from;
    }
}

fn sum(block: &[u8; LENGTH]) -> [u8; 4] {
    crc32c(block.get(CHECKSUMMED..).unwrap_or_default()).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A btrfs of which there is nothing but its superblocks.
    fn image(length: u64) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(length).unwrap();
        let mut block = [0; LENGTH];
        put(&mut block, 0x40, b"_BHRfS_M");
        put(&mut block, FSID, Uuid::from_u128(1).as_bytes());
        let first = sum(&block);
        put(&mut block, 0, &first);
        for offset in OFFSETS.into_iter().filter(|offset| *offset < length) {
            file.as_file().write_all_at(&block, offset).unwrap();
        }
        file
    }

    fn read(file: &File, offset: u64) -> Superblock {
        let mut block = [0; LENGTH];
        file.read_exact_at(&mut block, offset).unwrap();
        assert_eq!(block[..4], sum(&block));
        parse(&block).unwrap()
    }

    #[test]
    fn every_copy_gets_the_new_uuid_and_keeps_the_first_one_for_its_blocks() {
        let image = image(1 << 30);
        for new in [Uuid::from_u128(2), Uuid::from_u128(3), Uuid::from_u128(3)] {
            set_uuid(image.path(), new).unwrap();
            for offset in &OFFSETS[..2] {
                let found = read(image.as_file(), *offset);
                assert_eq!((found.fsid, found.metadata_uuid), (new, Uuid::from_u128(1)));
            }
        }
    }

    #[test]
    fn a_damaged_superblock_is_left_alone() {
        let image = image(1 << 20);
        image.as_file().write_all_at(b"x", OFFSETS[0] + 100).unwrap();
        let error = set_uuid(image.path(), Uuid::from_u128(2)).unwrap_err();
        assert!(matches!(error, Error::BadChecksum { .. }), "{error}");
    }

    #[test]
    fn anything_else_is_left_alone() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(1 << 20).unwrap();
        let error = set_uuid(file.path(), Uuid::from_u128(2)).unwrap_err();
        assert!(matches!(error, Error::Foreign { .. }), "{error}");
    }
}
