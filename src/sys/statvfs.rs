//! How full a file system is.

use std::path::Path;

use rustix::fs::{StatVfs, StatVfsMountFlags};

use super::failure::{Doing, Result};

/// The space and inodes of a file system, as an unprivileged user of it sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Size of the file system.
    pub total_bytes: u64,
    /// Bytes in use.
    pub used_bytes: u64,
    /// Bytes that can still be written; less than the rest where some are reserved for root.
    pub available_bytes: u64,
    /// Inodes there can be; zero where the file system does not count them (btrfs).
    pub total_inodes: u64,
    /// Inodes in use.
    pub used_inodes: u64,
    /// Inodes that can still be made.
    pub free_inodes: u64,
    /// Whether nothing can be written, whether the mount or the file system forbids it.
    pub read_only: bool,
}

/// Returns how full the file system is that holds `path`.
pub fn usage(path: &Path) -> Result<Usage> {
    let stat =
        rustix::fs::statvfs(path).doing(|| format!("ask {} for its usage", path.display()))?;
    Ok(Usage::of(&stat))
}

// === impl Usage ===

impl Usage {
    /// Reads the kernel's answer.
    pub(super) fn of(stat: &StatVfs) -> Self {
        let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
        Self {
            total_bytes: bytes(stat.f_blocks),
            used_bytes: bytes(stat.f_blocks.saturating_sub(stat.f_bfree)),
            available_bytes: bytes(stat.f_bavail),
            total_inodes: stat.f_files,
            used_inodes: stat.f_files.saturating_sub(stat.f_ffree),
            free_inodes: stat.f_ffree,
            read_only: stat.f_flag.contains(StatVfsMountFlags::RDONLY),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_fit_the_whole() {
        let usage = usage(Path::new("/")).unwrap();
        assert!(usage.total_bytes > 0);
        assert!(usage.used_bytes + usage.available_bytes <= usage.total_bytes);
        assert_eq!(usage.used_inodes + usage.free_inodes, usage.total_inodes);
    }
}
