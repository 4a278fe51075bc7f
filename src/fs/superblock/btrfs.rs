//! The superblock of btrfs: little-endian, with its checksum in front, in up to three copies.

use uuid::Uuid;

use super::field::{bytes, le16, le64, uuid};

/// Where the copies are, as far as the file system reaches. A mount reads the first alone.
pub(in crate::fs) const OFFSETS: [u64; 3] = [64 << 10, 64 << 20, 256 << 30];
/// How long each is.
pub(in crate::fs) const LENGTH: usize = 4096;

/// Behind the checksum: what it covers begins here.
pub(in crate::fs) const CHECKSUMMED: usize = 0x20;
/// The UUID that users and the kernel's list of devices see.
pub(in crate::fs) const FSID: usize = 0x20;
/// The features without which nobody may mount it.
pub(in crate::fs) const INCOMPAT: usize = 0xBC;
/// The UUID that every block carries, where it is not the same.
pub(in crate::fs) const METADATA_UUID: usize = 0x23B;
/// The feature that says so.
pub(in crate::fs) const INCOMPAT_METADATA_UUID: u64 = 0x400;

const MAGIC: &[u8; 8] = b"_BHRfS_M";

/// What we read of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::fs) struct Superblock {
    /// The UUID that users and the kernel's list of devices see.
    pub(in crate::fs) fsid: Uuid,
    /// How many bytes its one device has for it.
    pub(in crate::fs) size: u64,
    /// The UUID that every block carries.
    pub(in crate::fs) metadata_uuid: Uuid,
    /// The features without which nobody may mount it.
    pub(in crate::fs) incompat: u64,
    /// How blocks are checksummed; zero is crc32c.
    pub(in crate::fs) checksum_type: u16,
}

/// Returns the fields, or nothing when this is no superblock of btrfs.
pub(in crate::fs) fn parse(block: &[u8]) -> Option<Superblock> {
    if bytes(block, 0x40)? != *MAGIC {
        return None;
    }
    let (fsid, incompat) = (uuid(block, FSID)?, le64(block, INCOMPAT)?);
    let differs = incompat & INCOMPAT_METADATA_UUID != 0;
    let metadata_uuid = if differs { uuid(block, METADATA_UUID)? } else { fsid };
    Some(Superblock {
        fsid,
        size: le64(block, 0x70)?,
        metadata_uuid,
        incompat,
        checksum_type: le16(block, 0xC4)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_uuid_of_the_blocks_is_a_field_of_its_own_only_where_the_feature_says_so() {
        let (user, old) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut block = vec![0; LENGTH];
        block[0x40..0x48].copy_from_slice(MAGIC);
        block[FSID..FSID + 16].copy_from_slice(user.as_bytes());
        block[METADATA_UUID..METADATA_UUID + 16].copy_from_slice(old.as_bytes());
        let read = parse(&block).unwrap();
        assert_eq!((read.fsid, read.metadata_uuid), (user, user));

        block[INCOMPAT..INCOMPAT + 8].copy_from_slice(&INCOMPAT_METADATA_UUID.to_le_bytes());
        let read = parse(&block).unwrap();
        assert_eq!((read.fsid, read.metadata_uuid), (user, old));
    }

    #[test]
    fn anything_else_is_not_btrfs() {
        assert_eq!(parse(&[]), None);
        assert_eq!(parse(&[0; LENGTH]), None);
    }
}
