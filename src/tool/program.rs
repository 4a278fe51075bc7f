//! The programs that may be called, and where an administrator gets them.

use std::fmt;

/// A program that the driver calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Program {
    /// Makes an XFS.
    MkfsXfs,
    /// Reads and changes an XFS that is not mounted; sets the UUID.
    XfsDb,
    /// Checks an XFS that is not mounted.
    XfsRepair,
    /// Makes an ext4.
    MkfsExt4,
    /// Checks and repairs an ext4.
    E2fsck,
    /// Grows an ext4.
    Resize2fs,
    /// Changes the settings of an ext4; sets the UUID.
    Tune2fs,
    /// Prints the superblock of an ext4.
    Dumpe2fs,
    /// Makes a btrfs.
    MkfsBtrfs,
    /// Sets the UUID of a btrfs.
    Btrfstune,
    /// Prints, checks and repairs a btrfs.
    Btrfs,
    /// Says what is on a device.
    Blkid,
}

// === impl Program ===

impl Program {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::MkfsXfs,
        Self::XfsDb,
        Self::XfsRepair,
        Self::MkfsExt4,
        Self::E2fsck,
        Self::Resize2fs,
        Self::Tune2fs,
        Self::Dumpe2fs,
        Self::MkfsBtrfs,
        Self::Btrfstune,
        Self::Btrfs,
        Self::Blkid,
    ];

    /// Returns the name of the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::MkfsXfs => "mkfs.xfs",
            Self::XfsDb => "xfs_db",
            Self::XfsRepair => "xfs_repair",
            Self::MkfsExt4 => "mkfs.ext4",
            Self::E2fsck => "e2fsck",
            Self::Resize2fs => "resize2fs",
            Self::Tune2fs => "tune2fs",
            Self::Dumpe2fs => "dumpe2fs",
            Self::MkfsBtrfs => "mkfs.btrfs",
            Self::Btrfstune => "btrfstune",
            Self::Btrfs => "btrfs",
            Self::Blkid => "blkid",
        }
    }

    /// Returns the Debian package that has it.
    pub fn package(self) -> &'static str {
        match self {
            Self::MkfsXfs | Self::XfsDb | Self::XfsRepair => "xfsprogs",
            Self::MkfsExt4 | Self::E2fsck | Self::Resize2fs | Self::Tune2fs | Self::Dumpe2fs => {
                "e2fsprogs"
            }
            Self::MkfsBtrfs | Self::Btrfstune | Self::Btrfs => "btrfs-progs",
            Self::Blkid => "util-linux",
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
