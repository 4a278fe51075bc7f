//! The nouns of the driver, parsed once at the border into types that cannot be wrong.
//!
//! A [`Volume`], a [`Snapshot`] and a [`Group`] are what a backend keeps and gives back; [`NewVolume`],
//! [`NewSnapshot`] and [`NewGroup`] are wishes. Only the conversions in here know the generated CSI types.

mod attachment;
mod bytes;
mod capability;
mod content;
mod digest;
mod group;
pub mod health;
mod host_path;
mod id;
mod limits;
mod name;
mod paging;
mod parameters;
mod quantity;
mod shortened;
mod size;
mod snapshot;
mod source;
mod timestamp;
mod topology;

pub use attachment::Attachment;
pub use bytes::Bytes;
pub use capability::{AccessMode, Capability, MountWish};
pub use content::{BlockSize, Content, FsType};
pub use group::{Group, NewGroup};
pub use health::{Condition, Reason, Severity, StorageCondition, StorageSeverity, Unwell};
pub use host_path::{HostPathPrefix, HostPathType};
pub use id::{GroupId, SnapshotId, VolumeId};
pub use limits::{Limits, LimitsChange};
pub use name::Name;
pub use paging::{Page, Paging};
pub use parameters::{Parameters, Placement, no_parameters};
pub use quantity::{NotAQuantity, quantity};
pub use shortened::shortened;
pub use size::{Asked, SizeLimits};
pub use snapshot::{NewSnapshot, Snapshot};
pub use source::Source;
pub use timestamp::Timestamp;
pub use topology::{Requirement, TOPOLOGY_KEY, Term, Topology};

use serde::{Deserialize, Serialize};

/// A volume as its pool keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Volume {
    /// Computed from the name.
    pub id: VolumeId,
    /// The full CSI name.
    pub name: Name,
    /// What the volume holds now: the size of the device.
    pub size: Bytes,
    /// What was asked for when it was created.
    pub asked: Asked,
    /// A file system or a raw device, fixed at creation.
    pub content: Content,
    /// The logical block size of the device, fixed at creation.
    pub block_size: BlockSize,
    /// The limits that were asked for when it was created: what a repeat of that call is compared with.
    #[serde(default, skip_serializing_if = "Limits::is_none")]
    pub asked_limits: Limits,
    /// How fast it may be read and written now.
    #[serde(default, skip_serializing_if = "Limits::is_none")]
    pub limits: Limits,
    /// What it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The nodes it is attached to by ControllerPublish.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// When it became real.
    pub created: Timestamp,
}

/// The wish for a volume, with nothing left to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVolume {
    /// Computed from the name.
    pub id: VolumeId,
    /// The full CSI name.
    pub name: Name,
    /// The size to make it.
    pub size: Bytes,
    /// What was asked for.
    pub asked: Asked,
    /// A file system or a raw device.
    pub content: Content,
    /// The logical block size of the device.
    pub block_size: BlockSize,
    /// How fast it may be read and written.
    pub limits: Limits,
    /// What to make it from; empty otherwise.
    pub source: Option<Source>,
}

// === impl NewVolume ===

impl NewVolume {
    /// Returns the volume that this wish becomes at this instant.
    pub fn made_now(&self) -> Volume {
        Volume {
            id: self.id.clone(),
            name: self.name.clone(),
            size: self.size,
            asked: self.asked,
            content: self.content,
            block_size: self.block_size,
            asked_limits: self.limits,
            limits: self.limits,
            source: self.source.clone(),
            attachments: Vec::new(),
            created: Timestamp::now(),
        }
    }
}

// === impl Volume ===

impl Volume {
    /// Returns whether this is what the wish became, expanded or limited otherwise since, or not.
    pub fn is(&self, wanted: &NewVolume) -> bool {
        self.name == wanted.name
            && self.content == wanted.content
            && self.block_size == wanted.block_size
            && self.asked_limits == wanted.limits
            && self.source == wanted.source
            && (self.asked == wanted.asked || wanted.asked.fits(self.size))
    }
}
