//! All pools that a Controller service answers for, wherever they are.
//!
//! Those of one process are a [`Registry`](super::Registry). Whoever implements this for pools that others own keeps the
//! same promises: what is found is so now, and what is not found is not there. A pool that may hold the thing but cannot be
//! asked is an error, never an absence.

use std::fmt;

use async_trait::async_trait;

use super::placement::Wish;
use super::{Capacity, Pool};
use crate::error::{Error, Result};
use crate::volume::{
    Attachment, Condition, Content, Group, GroupId, Requirement, Snapshot, SnapshotId, Unwell,
    Volume, VolumeId,
};

/// Pools, and what is in them.
#[async_trait]
pub trait Pools: fmt::Debug + Send + Sync + 'static {
    /// Returns whether the pools are on this machine, and a call about them may block its thread. Where they are
    /// elsewhere, there is nothing to do but to wait.
    fn are_here(&self) -> bool;

    /// Returns the name of the pools that a class means, by the name that it has.
    async fn meant(&self, class: Option<&str>) -> Result<String>;

    /// Returns the pool for a new volume. Nothing is promised to it yet: `Backend::create` may find the room taken.
    async fn choose(&self, wish: &Wish<'_>) -> Result<Pool>;

    /// Returns what the pools that a class means can still give for volumes with this content, or nothing where none of
    /// them is within what is asked about.
    async fn capacity(
        &self,
        class: Option<&str>,
        within: &Requirement,
        content: Content,
    ) -> Result<Option<Capacity>>;

    /// Returns whether there is such a node, whatever it can reach.
    async fn has_node(&self, node: &str) -> Result<bool>;

    /// Returns the volume with the pool that holds it, or nothing when no pool does. It may be in one that is not
    /// there: that is an error.
    async fn find(&self, id: &VolumeId) -> Result<Option<(Pool, Volume)>>;

    /// Returns the same for a volume that is to be made if there is none. No orchestrator asks for one name in two
    /// pools, so that one which is not there keeps nobody from creating in the others.
    async fn find_or_make(&self, id: &VolumeId) -> Result<Option<(Pool, Volume)>>;

    /// Returns the volume with the pool that holds it.
    async fn volume(&self, id: &VolumeId) -> Result<(Pool, Volume)> {
        self.find(id).await?.ok_or_else(|| Error::no_volume(id))
    }

    /// Returns the pool that holds anything under the id, and the nodes that it is attached to: what is to be removed
    /// may be no more than begun.
    async fn keeper(&self, id: &VolumeId) -> Result<Option<(Pool, Vec<Attachment>)>> {
        Ok(self.find(id).await?.map(|(pool, volume)| (pool, volume.attachments)))
    }

    /// Returns at most `most` volumes of all pools behind `after`, sorted by id, each with its pool.
    async fn volumes(&self, after: Option<&VolumeId>, most: usize) -> Result<Vec<(Pool, Volume)>>;

    /// Returns the snapshot with the pool that holds it, or nothing when no pool does.
    async fn find_snapshot(&self, id: &SnapshotId) -> Result<Option<(Pool, Snapshot)>>;

    /// Returns the same for a snapshot that is to be cut if there is none: see [`Self::find_or_make`].
    async fn find_snapshot_or_cut(&self, id: &SnapshotId) -> Result<Option<(Pool, Snapshot)>>;

    /// Returns the snapshot with the pool that holds it.
    async fn snapshot(&self, id: &SnapshotId) -> Result<(Pool, Snapshot)> {
        self.find_snapshot(id).await?.ok_or_else(|| Error::no_snapshot(id))
    }

    /// Returns the pool that holds anything under the id: see [`Self::keeper`].
    async fn snapshot_keeper(&self, id: &SnapshotId) -> Result<Option<Pool>> {
        Ok(self.find_snapshot(id).await?.map(|(pool, _)| pool))
    }

    /// Returns at most `most` snapshots of all pools behind `after`, sorted by id, each with its pool.
    async fn snapshots(
        &self,
        after: Option<&SnapshotId>,
        most: usize,
    ) -> Result<Vec<(Pool, Snapshot)>>;

    /// Returns the group snapshot with the pool that holds it, or nothing when no pool does.
    async fn find_group(&self, id: &GroupId) -> Result<Option<(Pool, Group)>>;

    /// Returns the same for a group that is to be cut if there is none: see [`Self::find_or_make`].
    async fn find_group_or_cut(&self, id: &GroupId) -> Result<Option<(Pool, Group)>>;

    /// Returns the group snapshot that is to be removed, with the pool that holds it: see [`Self::keeper`].
    async fn group_keeper(&self, id: &GroupId) -> Result<Option<(Pool, Group)>> {
        self.find_group(id).await
    }

    /// Returns what is the matter with the volume. Takes no lock, as the next one, and answers within two seconds: that
    /// something hangs is the answer then.
    async fn health(&self, id: &VolumeId) -> Result<Vec<Condition>>;

    /// Returns at most `most` volumes of all pools behind `after` with which something is the matter, sorted by id.
    async fn unwell(&self, after: Option<&VolumeId>, most: usize) -> Result<Vec<Unwell>>;
}
