//! What a volume holds: a file system of one type, or raw blocks. Fixed when it is created.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A file system or raw blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Content {
    /// A file system that Orlop formats and mounts.
    FileSystem(FsType),
    /// A raw device that the pod opens itself.
    Block,
}

/// A file system that Orlop can format, mount, grow and check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FsType {
    /// XFS, the default.
    Xfs,
    /// ext4, also the default below the least size of XFS.
    Ext4,
    /// Btrfs.
    Btrfs,
}

/// A text that names no file system of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a file system that Orlop makes: use xfs, ext4 or btrfs")]
pub struct NotAFsType {
    text: String,
}

/// A text that says nothing of what a volume can hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is nothing that a volume holds: use xfs, ext4, btrfs or block")]
pub struct NotAContent {
    text: String,
}

/// The logical block size of a volume's device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub enum BlockSize {
    /// For raw images with a partition table of 512-byte sectors: buffered I/O then.
    B512,
    /// For everything else: direct I/O, and mountable after a snapshot.
    #[default]
    B4096,
}

/// A number that is not a block size of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} is not a block size that Orlop gives: use 4096, or 512 for raw images with a 512-byte partition table"
)]
pub struct NotABlockSize(String);

// === impl FsType ===

impl FsType {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Xfs, Self::Ext4, Self::Btrfs];

    /// Returns the name that the kernel knows it by.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Xfs => "xfs",
            Self::Ext4 => "ext4",
            Self::Btrfs => "btrfs",
        }
    }
}

impl FromStr for FsType {
    type Err = NotAFsType;

    fn from_str(text: &str) -> Result<Self, NotAFsType> {
        let known = Self::ALL.into_iter().find(|fs| fs.as_str() == text);
        known.ok_or_else(|| NotAFsType { text: text.to_owned() })
    }
}

impl fmt::Display for FsType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

// === impl Content ===

impl FromStr for Content {
    type Err = NotAContent;

    fn from_str(text: &str) -> Result<Self, NotAContent> {
        if text == "block" {
            return Ok(Self::Block);
        }
        let fs = text.parse().ok();
        fs.map(Self::FileSystem).ok_or_else(|| NotAContent { text: text.to_owned() })
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileSystem(fs) => fs.fmt(f),
            Self::Block => f.pad("block"),
        }
    }
}

// === impl BlockSize ===

impl BlockSize {
    /// Returns the number of bytes.
    pub fn bytes(self) -> u32 {
        match self {
            Self::B512 => 512,
            Self::B4096 => 4096,
        }
    }
}

impl TryFrom<u32> for BlockSize {
    type Error = NotABlockSize;

    fn try_from(number: u32) -> Result<Self, NotABlockSize> {
        match number {
            512 => Ok(Self::B512),
            4096 => Ok(Self::B4096),
            other => Err(NotABlockSize(other.to_string())),
        }
    }
}

impl From<BlockSize> for u32 {
    fn from(size: BlockSize) -> Self {
        size.bytes()
    }
}

impl FromStr for BlockSize {
    type Err = NotABlockSize;

    fn from_str(text: &str) -> Result<Self, NotABlockSize> {
        let number: u32 = text.parse().ok().ok_or_else(|| NotABlockSize(format!("{text:?}")))?;
        Self::try_from(number)
    }
}

impl fmt::Display for BlockSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-byte", self.bytes())
    }
}
