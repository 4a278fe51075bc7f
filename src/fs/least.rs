//! How small a file system can be.

use crate::volume::{Bytes, FsType};

/// Returns the least size of a volume with this file system.
///
/// Measured with the options of [`super::format()`], and mounted by a test at exactly these sizes.
pub fn least_size(fs: FsType) -> Bytes {
    match fs {
        // Below, mkfs.xfs refuses: the log alone takes 64 MiB.
        FsType::Xfs => Bytes::mib(300),
        // Below, mke2fs silently leaves the journal out, and nothing of what we promise after a crash holds.
        FsType::Ext4 => Bytes::mib(8),
        // Below, mkfs.btrfs refuses: its first chunks, metadata twice, take 109 MiB.
        FsType::Btrfs => Bytes::mib(109),
    }
}
