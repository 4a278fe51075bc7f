//! The superblock of ext4: little-endian, 1024 bytes behind the beginning.

use uuid::Uuid;

use super::field::{le16, le32, uuid};

/// Where it is.
pub(in crate::fs) const OFFSET: u64 = 1024;
/// How long it is.
pub(in crate::fs) const LENGTH: usize = 1024;

const MAGIC: u16 = 0xEF53;
/// `s_state`: everything was written before the last unmount. With a journal it stays set while mounted.
const STATE_VALID: u16 = 1;
/// `s_state`: the kernel or a tool met an error.
const STATE_ERROR: u16 = 2;
/// `s_feature_incompat`: the journal holds transactions that have to be replayed.
const INCOMPAT_RECOVER: u32 = 4;

/// What we read of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::fs) struct Superblock {
    /// Its UUID.
    pub(in crate::fs) uuid: Uuid,
    state: u16,
    incompat: u32,
    blocks: u64,
    /// The binary logarithm of the block size in KiB.
    block_log: u32,
}

/// Returns the fields, or nothing when this is no superblock of ext4.
pub(in crate::fs) fn parse(block: &[u8]) -> Option<Superblock> {
    if le16(block, 0x38)? != MAGIC {
        return None;
    }
    Some(Superblock {
        uuid: uuid(block, 0x68)?,
        state: le16(block, 0x3A)?,
        incompat: le32(block, 0x60)?,
        // In two halves; the upper one came with the feature 64bit, which all of ours have.
        blocks: u64::from(le32(block, 0x150)?) << 32 | u64::from(le32(block, 0x04)?),
        block_log: le32(block, 0x18)?,
    })
}

// === impl Superblock ===

impl Superblock {
    /// Returns the size of the file system.
    pub(in crate::fs) fn size(&self) -> u64 {
        let block_size = 1024_u64.checked_shl(self.block_log).unwrap_or(0);
        self.blocks.saturating_mul(block_size)
    }

    /// Returns whether an error was met that nobody has looked into.
    pub(in crate::fs) fn has_error(&self) -> bool {
        self.state & STATE_ERROR != 0
    }

    /// Returns whether e2fsck has something to do: a journal to replay, or an error to look into.
    pub(in crate::fs) fn needs_check(&self) -> bool {
        let dirty = self.incompat & INCOMPAT_RECOVER != 0;
        dirty || self.has_error() || self.state & STATE_VALID == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(state: u16, incompat: u32) -> Vec<u8> {
        let mut block = vec![0; LENGTH];
        block[0x04..0x08].copy_from_slice(&3_u32.to_le_bytes());
        block[0x18..0x1C].copy_from_slice(&2_u32.to_le_bytes());
        block[0x150..0x154].copy_from_slice(&1_u32.to_le_bytes());
        block[0x38..0x3A].copy_from_slice(&MAGIC.to_le_bytes());
        block[0x3A..0x3C].copy_from_slice(&state.to_le_bytes());
        block[0x60..0x64].copy_from_slice(&incompat.to_le_bytes());
        block[0x68..0x78].copy_from_slice(Uuid::from_u128(7).as_bytes());
        block
    }

    #[test]
    fn only_a_dirty_journal_or_an_error_asks_for_a_check() {
        // 0x22C2 is what mke2fs gives our options: filetype, extent, 64bit, flex_bg, csum_seed.
        for (state, incompat, expected) in [
            (STATE_VALID, 0x22C2, false),
            (STATE_VALID, 0x22C2 | INCOMPAT_RECOVER, true),
            (STATE_VALID | STATE_ERROR, 0x22C2, true),
            (0, 0x22C2, true),
            // Orphans being cleaned up: the mount does it.
            (STATE_VALID | 4, 0x22C2, false),
        ] {
            let superblock = parse(&block(state, incompat)).unwrap();
            assert_eq!(superblock.needs_check(), expected, "{state} {incompat:#x}");
            assert_eq!(superblock.uuid, Uuid::from_u128(7));
            assert_eq!(superblock.size(), ((1 << 32) + 3) * 4096);
        }
    }

    #[test]
    fn anything_else_is_not_ext4() {
        assert_eq!(parse(&[]), None);
        assert_eq!(parse(&[0; LENGTH]), None);
    }
}
