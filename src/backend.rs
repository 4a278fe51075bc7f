//! The seam between the CSI services and the places where data lives.
//!
//! A [`Backend`] is one pool: a place that holds volumes and, if it can, [`Snapshots`] of them. It knows
//! nothing of gRPC. Whoever calls it holds the lock of the id that the call changes; a backend guards what its
//! own calls share (its ledger, its loop devices) and nothing more.
//!
//! A pool whose data is on this node is [`Local`], too: it makes volumes devices, and tells how it is. The Controller
//! service needs the first alone, the Node service both. Which pools there are is a matter of [`Pools`].
//!
//! The contract of every method that changes something: it can be killed at any instant and be called again; a
//! repeat of a call that succeeded succeeds and changes nothing; a call that returns an error, other than
//! `Pending` and `Unreachable`, has left nothing of its own behind.

mod capacity;
mod changes;
mod contents;
mod enforcer;
mod ensured;
pub mod faulty;
mod figures;
mod freed;
pub mod image;
pub mod late;
mod local;
pub mod memory;
mod orphans;
pub mod placement;
mod pool;
mod pools;
mod registry;
mod transfer;

use std::fmt;

use async_trait::async_trait;

pub use capacity::Capacity;
pub use changes::{Changes, Part};
pub use contents::Contents;
pub use enforcer::Enforcer;
pub use ensured::Ensured;
pub use figures::{PoolFigures, VolumeFigures};
pub use freed::{Freed, Listener};
pub use local::{Attached, Device, Hold, Local};
pub use orphans::Orphans;
pub use pool::{LocalPool, Pool};
pub use pools::Pools;
pub use registry::Registry;
pub use transfer::{Import, Imported, Transfer};

use crate::error::Result;
use crate::volume::{
    Attachment, Bytes, Content, Group, GroupId, Limits, NewGroup, NewSnapshot, NewVolume, Snapshot,
    SnapshotId, Volume, VolumeId,
};

/// A pool of volumes, wherever it is.
#[async_trait]
pub trait Backend: fmt::Debug + Send + Sync + 'static {
    /// Returns the least size of a volume with this content.
    fn least_size(&self, content: Content) -> Bytes;

    /// Returns the volume, created now or found as asked: durable, formatted, and of exactly the size wanted.
    ///
    /// A source is in the same pool, not larger than the volume and of the same content: the caller has
    /// checked. `Differs` when the id exists otherwise; `NotFound` when the source vanished; `Exhausted` when
    /// the pool has no room for it.
    async fn create(&self, wanted: &NewVolume) -> Result<Ensured<Volume>>;

    /// Succeeds when the volume is gone, whoever removed it. `InUse` names the mount or device that holds it.
    async fn delete(&self, id: &VolumeId) -> Result<Ensured<()>>;

    /// Returns the volume, or nothing when there is none. A record that cannot be read is `Unfit`.
    async fn find(&self, id: &VolumeId) -> Result<Option<Volume>>;

    /// Returns at most `most` volumes behind `after`, sorted by id. Volumes with unreadable records are left out.
    async fn list(&self, after: Option<&VolumeId>, most: usize) -> Result<Vec<Volume>>;

    /// Returns the volume with at least this size. What the node has to do then is [`Local::grow_device`].
    ///
    /// `Exhausted` when the pool has no room for the difference.
    async fn expand(&self, id: &VolumeId, size: Bytes) -> Result<Volume>;

    /// Keeps the limits with the volume, durably. Who enforces them is none of the pool's business.
    async fn set_limits(&self, id: &VolumeId, limits: Limits) -> Result<()>;

    /// Keeps the attachments with the volume, durably.
    async fn set_attachments(&self, id: &VolumeId, attachments: &[Attachment]) -> Result<()>;

    /// Returns what the pool can still give, for volumes with this content.
    async fn capacity(&self, content: Content) -> Result<Capacity>;

    /// Returns the pool's snapshots, if it can have any.
    fn snapshots(&self) -> Option<&dyn Snapshots> {
        None
    }

    /// Returns what the pool knows of the blocks of its snapshots, if it can tell.
    fn changes(&self) -> Option<&dyn Changes> {
        None
    }

    /// Returns the pool's group snapshots, if it can have any; then it has snapshots, too.
    fn groups(&self) -> Option<&dyn Groups> {
        None
    }
}

/// The snapshots of a pool. A snapshot and its source may be deleted in either order.
#[async_trait]
pub trait Snapshots: Send + Sync {
    /// Returns the snapshot, cut now or found as asked.
    ///
    /// A mounted file system is frozen for the cut, so that the snapshot is what a clean remount would show.
    /// `NotFound` when there is no such volume; `Differs` when the id was cut from another one.
    async fn cut(&self, wanted: &NewSnapshot) -> Result<Ensured<Snapshot>>;

    /// Succeeds when the snapshot is gone, whoever removed it. A member goes with its group: the caller has
    /// checked that it is none.
    async fn delete(&self, id: &SnapshotId) -> Result<Ensured<()>>;

    /// Returns the snapshot, be it a member of a group, or nothing when there is none.
    async fn find(&self, id: &SnapshotId) -> Result<Option<Snapshot>>;

    /// Returns at most `most` snapshots behind `after`, sorted by id.
    async fn list(&self, after: Option<&SnapshotId>, most: usize) -> Result<Vec<Snapshot>>;
}

/// The group snapshots of a pool. Their members are among its [`Snapshots`], and no group has only some of them.
#[async_trait]
pub trait Groups: Send + Sync {
    /// Returns the group, all of its members cut at one instant now, or found as asked.
    ///
    /// Whatever one of the volumes holds at that instant, so do the others of what was written before. `NotFound`
    /// when there is no such volume; `Differs` when the id was cut from others; `Exhausted` when the pool has
    /// no room for all members.
    async fn cut(&self, wanted: &NewGroup) -> Result<Ensured<Group>>;

    /// Succeeds when the group is gone with all its members, whoever removed it.
    async fn delete(&self, id: &GroupId) -> Result<Ensured<()>>;

    /// Returns the group, or nothing when there is none.
    async fn find(&self, id: &GroupId) -> Result<Option<Group>>;
}
