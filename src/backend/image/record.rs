//! The records that lie beside the images: what they hold and how a text becomes one.
//!
//! A record is read by this version of the driver or it is not read at all: a key that is not known, a newer
//! format or another id is damage, and never a reason to guess.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::copy::Pending;
use super::format::{self, FORMAT, Unread};
use super::layout::Kept;
use crate::error::Noun;
use crate::sys::Failure;
use crate::volume::{Bytes, Snapshot, SnapshotId, Volume, VolumeId};

/// No record of ours comes near this size.
pub(super) const MOST_BYTES: u64 = 1 << 20;

/// What is written beside an image.
pub(super) trait Record:
    Clone + fmt::Debug + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// The id that names its directory.
    type Id: Kept;

    /// What it is called in messages.
    const NOUN: Noun;

    /// Returns the format that the record says it has.
    fn format_version(&self) -> u32;

    /// Returns the id that the record says it belongs to.
    fn id(&self) -> &Self::Id;

    /// Returns the size that the pool has promised for it.
    fn size(&self) -> Bytes;
}

/// The record of a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct VolumeRecord {
    format_version: u32,
    /// The volume as everybody else knows it.
    pub(super) volume: Volume,
    /// What is left of the making of a copy, before it can be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pending: Option<Pending>,
    /// Whether its ext4 may be smaller than the image: mounted, it grows only where the driver has
    /// `CAP_SYS_RESOURCE`, so that it is made sure of before the next mount.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) grow: bool,
}

/// The record of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SnapshotRecord {
    format_version: u32,
    /// The snapshot as everybody else knows it.
    pub(super) snapshot: Snapshot,
}

/// Why a record cannot be read, or an image not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the texts say it")]
pub enum Flaw {
    #[error("does not exist")]
    Missing,
    #[error("is empty")]
    Empty,
    #[error("is no regular file")]
    NotAFile,
    #[error("has {0} bytes, which no record has")]
    TooLarge(u64),
    #[error("has format {0}, which a newer Orlop wrote")]
    Newer(u32),
    #[error("is no record: {0}")]
    Foreign(String),
    #[error("is the record of {0}")]
    OfAnother(String),
    #[error("cannot be read: {0}")]
    Unreadable(String),
    #[error("lies where only ids are names")]
    NotAnId,
    #[error("is missing or empty: all data is lost")]
    NoImage,
    #[error("has {found}, but its record says {recorded}: the data behind that is lost")]
    Shortened { found: Bytes, recorded: Bytes },
}

// === impl Flaw ===

impl From<Unread> for Flaw {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Newer(version) => Self::Newer(version),
            Unread::Foreign(mistake) => Self::Foreign(mistake.to_string()),
        }
    }
}

impl Flaw {
    /// Returns what the kernel has said.
    pub(super) fn unreadable(failure: &Failure) -> Self {
        Self::Unreadable(format!("{failure}: {}", failure.source))
    }

    /// Says whether it is the image that is the matter, and not the record.
    pub fn is_loss(&self) -> bool {
        matches!(self, Self::NoImage | Self::Shortened { .. })
    }
}

/// Parses the record of `id`.
pub(super) fn parse<R: Record>(text: &[u8], id: &R::Id) -> Result<R, Flaw> {
    if text.is_empty() {
        return Err(Flaw::Empty);
    }
    let record: R = format::parse(text, R::format_version)?;
    if record.id() != id {
        return Err(Flaw::OfAnother(record.id().to_string()));
    }
    Ok(record)
}

/// Returns the text of the record, for people, too.
pub(super) fn text<T: Serialize>(record: &T) -> serde_json::Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(record)?;
    text.push(b'\n');
    Ok(text)
}

// === impl VolumeRecord ===

impl VolumeRecord {
    /// Returns the record of a volume that is to become real.
    pub(super) fn new(volume: Volume, pending: Option<Pending>) -> Self {
        Self { format_version: FORMAT, volume, pending, grow: false }
    }
}

impl Record for VolumeRecord {
    type Id = VolumeId;

    const NOUN: Noun = Noun::Volume;

    fn format_version(&self) -> u32 {
        self.format_version
    }

    fn id(&self) -> &VolumeId {
        &self.volume.id
    }

    fn size(&self) -> Bytes {
        self.volume.size
    }
}

// === impl SnapshotRecord ===

impl SnapshotRecord {
    /// Returns the record of a snapshot that is to become real.
    pub(super) fn new(snapshot: Snapshot) -> Self {
        Self { format_version: FORMAT, snapshot }
    }
}

impl Record for SnapshotRecord {
    type Id = SnapshotId;

    const NOUN: Noun = Noun::Snapshot;

    fn format_version(&self) -> u32 {
        self.format_version
    }

    fn id(&self) -> &SnapshotId {
        &self.snapshot.id
    }

    fn size(&self) -> Bytes {
        self.snapshot.size
    }
}

#[cfg(test)]
mod tests;
