//! A snapshot and the wish for one.

use serde::{Deserialize, Serialize};

use super::{BlockSize, Bytes, Content, Name, SnapshotId, Timestamp, Volume, VolumeId};
use crate::csi::v1;
use crate::error::{Error, Noun, Result};

/// A snapshot as its pool keeps it: it needs nothing of its source any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Snapshot {
    /// Computed from the name; that of a member says which group it belongs to.
    pub id: SnapshotId,
    /// The full CSI name, of a member that of its group.
    pub name: Name,
    /// The volume it was cut from; it may be gone.
    pub source: VolumeId,
    /// The size of the source at that instant: the least size of a volume made from it.
    pub size: Bytes,
    /// What the source held.
    pub content: Content,
    /// The block size of the source.
    pub block_size: BlockSize,
    /// The instant of the cut.
    pub created: Timestamp,
}

/// The wish for a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSnapshot {
    /// Computed from the name.
    pub id: SnapshotId,
    /// The full CSI name.
    pub name: Name,
    /// The volume to cut it from.
    pub source: VolumeId,
}

// === impl Snapshot ===

impl Snapshot {
    /// Returns the snapshot, if it is what the wish became.
    pub fn as_wanted(self, wanted: &NewSnapshot) -> Result<Self> {
        let how = if self.source != wanted.source {
            format!("of volume {}, not {}", self.source, wanted.source)
        } else if self.name != wanted.name {
            format!("under the name {}", self.name)
        } else {
            return Ok(self);
        };
        Err(Error::Differs { what: Noun::Snapshot, id: self.id.to_string(), how })
    }

    /// Returns the snapshot as CSI has it. What exists is cut, so it is always ready.
    pub fn to_csi(&self) -> v1::Snapshot {
        v1::Snapshot {
            snapshot_id: self.id.to_string(),
            source_volume_id: self.source.to_string(),
            size_bytes: self.size.to_csi(),
            creation_time: Some(self.created.to_csi()),
            ready_to_use: true,
            group_snapshot_id: self.id.group().map_or_else(String::new, String::from),
            ..v1::Snapshot::default()
        }
    }
}

// === impl NewSnapshot ===

impl NewSnapshot {
    /// Returns the snapshot that this wish becomes at this instant.
    pub fn cut_now(&self, source: &Volume) -> Snapshot {
        Snapshot {
            id: self.id.clone(),
            name: self.name.clone(),
            source: self.source.clone(),
            size: source.size,
            content: source.content,
            block_size: source.block_size,
            created: Timestamp::now(),
        }
    }
}
