//! Fields of fixed width at fixed places, in either byte order.

use uuid::Uuid;

/// Returns the `N` bytes at `at`, if the block is that long.
pub(super) fn bytes<const N: usize>(block: &[u8], at: usize) -> Option<[u8; N]> {
    block.get(at..)?.first_chunk().copied()
}

/// Returns the UUID at `at`; all file systems write it in the order of its digits.
pub(super) fn uuid(block: &[u8], at: usize) -> Option<Uuid> {
    bytes(block, at).map(Uuid::from_bytes)
}

/// Returns the big-endian number of 32 bits at `at`.
pub(super) fn be32(block: &[u8], at: usize) -> Option<u32> {
    bytes(block, at).map(u32::from_be_bytes)
}

/// Returns the big-endian number of 64 bits at `at`.
pub(super) fn be64(block: &[u8], at: usize) -> Option<u64> {
    bytes(block, at).map(u64::from_be_bytes)
}

/// Returns the little-endian number of 16 bits at `at`.
pub(super) fn le16(block: &[u8], at: usize) -> Option<u16> {
    bytes(block, at).map(u16::from_le_bytes)
}

/// Returns the little-endian number of 32 bits at `at`.
pub(super) fn le32(block: &[u8], at: usize) -> Option<u32> {
    bytes(block, at).map(u32::from_le_bytes)
}

/// Returns the little-endian number of 64 bits at `at`.
pub(super) fn le64(block: &[u8], at: usize) -> Option<u64> {
    bytes(block, at).map(u64::from_le_bytes)
}
