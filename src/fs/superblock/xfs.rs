//! The superblock of XFS: big-endian, one in the first sector of each allocation group.

use uuid::Uuid;

use super::field::{be32, be64, bytes, uuid};

/// Where the first one is.
pub(in crate::fs) const OFFSET: u64 = 0;
/// As much of it as is read.
pub(in crate::fs) const LENGTH: usize = 512;

const MAGIC: &[u8; 4] = b"XFSB";

/// What we read of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::fs) struct Superblock {
    /// The UUID that users and the kernel's check for duplicates see.
    ///
    /// Once it was changed, the blocks go on carrying the first one: the superblock keeps that beside it, as
    /// `meta_uuid`, and nobody outside the file system has a use for it.
    pub(in crate::fs) uuid: Uuid,
    block_size: u32,
    blocks: u64,
    group_blocks: u32,
    groups: u32,
}

/// Returns the fields, or nothing when this is no superblock of XFS.
pub(in crate::fs) fn parse(block: &[u8]) -> Option<Superblock> {
    if bytes(block, 0)? != *MAGIC {
        return None;
    }
    Some(Superblock {
        uuid: uuid(block, 32)?,
        block_size: be32(block, 4)?,
        blocks: be64(block, 8)?,
        group_blocks: be32(block, 84)?,
        groups: be32(block, 88)?,
    })
}

// === impl Superblock ===

impl Superblock {
    /// Returns the size of the file system.
    pub(in crate::fs) fn size(&self) -> u64 {
        self.blocks.saturating_mul(self.block_size.into())
    }

    /// Returns where the copy in the last allocation group is: the one that `xfs_db` writes last.
    pub(in crate::fs) fn last_copy(&self) -> u64 {
        let group = u64::from(self.group_blocks).saturating_mul(u64::from(self.block_size));
        group.saturating_mul(u64::from(self.groups.saturating_sub(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block as mkfs.xfs writes it for 10 GiB: four groups of 655,360 blocks.
    fn block(user: Uuid, meta: Uuid) -> Vec<u8> {
        let mut block = vec![0; LENGTH];
        block[..4].copy_from_slice(MAGIC);
        block[4..8].copy_from_slice(&4096_u32.to_be_bytes());
        block[8..16].copy_from_slice(&2_621_440_u64.to_be_bytes());
        block[32..48].copy_from_slice(user.as_bytes());
        block[84..88].copy_from_slice(&655_360_u32.to_be_bytes());
        block[88..92].copy_from_slice(&4_u32.to_be_bytes());
        block[248..264].copy_from_slice(meta.as_bytes());
        block
    }

    #[test]
    fn the_users_uuid_is_read_and_not_the_one_in_the_blocks() {
        let (user, meta) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(parse(&block(user, Uuid::nil())).unwrap().uuid, user);
        assert_eq!(parse(&block(user, meta)).unwrap().uuid, user);
    }

    #[test]
    fn the_size_is_in_blocks_and_the_last_copy_in_the_last_group() {
        let superblock = parse(&block(Uuid::nil(), Uuid::nil())).unwrap();
        assert_eq!(superblock.size(), 10 << 30);
        assert_eq!(superblock.last_copy(), 3 * 655_360 * 4096);
    }

    #[test]
    fn anything_else_is_not_xfs() {
        assert_eq!(parse(&[]), None);
        assert_eq!(parse(b"XFSB"), None);
        assert_eq!(parse(&[0; LENGTH]), None);
    }
}
