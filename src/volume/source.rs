//! What a new volume is made from.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{SnapshotId, VolumeId};
use crate::csi::v1;
use crate::csi::v1::volume_content_source::{SnapshotSource, Type, VolumeSource};
use crate::error::{Error, Result};

/// A snapshot to restore or a volume to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// A snapshot.
    Snapshot(SnapshotId),
    /// A volume.
    Volume(VolumeId),
}

// === impl Source ===

impl Source {
    /// Reads the source of a request.
    pub fn of_csi(source: &v1::VolumeContentSource) -> Result<Self> {
        match &source.r#type {
            Some(Type::Snapshot(of)) => SnapshotId::required(&of.snapshot_id).map(Self::Snapshot),
            Some(Type::Volume(of)) => VolumeId::required(&of.volume_id).map(Self::Volume),
            None => Err(Error::invalid(
                "volume_content_source",
                "names neither a snapshot nor a volume",
            )),
        }
    }

    /// Returns the source as CSI has it.
    pub fn to_csi(&self) -> v1::VolumeContentSource {
        let kind = match self {
            Self::Snapshot(id) => Type::Snapshot(SnapshotSource { snapshot_id: id.to_string() }),
            Self::Volume(id) => Type::Volume(VolumeSource { volume_id: id.to_string() }),
        };
        v1::VolumeContentSource { r#type: Some(kind) }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Snapshot(id) => write!(f, "snapshot {id}"),
            Self::Volume(id) => write!(f, "volume {id}"),
        }
    }
}
