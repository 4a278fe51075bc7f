//! The pools of one process by name: which one a class means, and which one holds an id.
//!
//! The Node service, the metrics and the admin ask them as they are, borrowed; the Controller service, which does not
//! know where a pool is, asks through [`Pools`](super::Pools).

mod pools;

use std::sync::Arc;

use tokio::task::JoinSet;
use tracing::Instrument;

use super::{LocalPool, placement};
use crate::error::{Error, Noun, Result};
use crate::volume::{Condition, Snapshot, SnapshotId, StorageCondition, Volume, VolumeId};

/// All pools, in the order of the config.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    pools: Vec<LocalPool>,
}

// === impl Registry ===

impl Registry {
    /// Returns a registry of these pools, whose names the config has found to differ.
    pub fn new(pools: Vec<LocalPool>) -> Self {
        Self { pools }
    }

    /// Returns the pools in the order of the config.
    pub fn iter(&self) -> impl Iterator<Item = &LocalPool> {
        self.pools.iter()
    }

    /// Returns whether any pool can tell which blocks of a snapshot changed.
    pub fn tell_changes(&self) -> bool {
        self.pools.iter().any(|pool| pool.backend.changes().is_some())
    }

    /// Returns the pool that a class means.
    pub fn named(&self, class: Option<&str>) -> Result<&LocalPool> {
        let names: Vec<&str> = self.pools.iter().map(|pool| &*pool.name).collect();
        let name = placement::meant(&names, class)?;
        let pool = self.pools.iter().find(|pool| *pool.name == *name);
        pool.ok_or_else(|| Error::NotFound { what: Noun::Pool, id: name.to_owned() })
    }

    /// Returns the volume with the pool that holds it, or nothing when no pool does. It may be in one that is not
    /// there: that is an error.
    pub async fn find(&self, id: &VolumeId) -> Result<Option<(&LocalPool, Volume)>> {
        let mut absent = None;
        for pool in &self.pools {
            if let Some(volume) = unless_absent(pool.backend.find(id).await, &mut absent)? {
                return Ok(Some((pool, volume)));
            }
        }
        absent.map_or(Ok(None), Err)
    }

    /// Returns the volume with the pool that holds it.
    pub async fn volume(&self, id: &VolumeId) -> Result<(&LocalPool, Volume)> {
        self.find(id).await?.ok_or_else(|| Error::no_volume(id))
    }

    /// Returns the pool that keeps anything under the id, though its record may be unreadable or its disk dead:
    /// enough to undo what was done with the volume on this node.
    pub async fn keeper(&self, id: &VolumeId) -> Option<&LocalPool> {
        let mut absent = None;
        for pool in &self.pools {
            match pool.backend.find(id).await {
                Ok(None) => {}
                Err(Error::Absent { .. }) => absent = absent.or(Some(pool)),
                Ok(Some(_)) | Err(_) => return Some(pool),
            }
        }
        absent
    }

    /// Returns the snapshot with the pool that holds it, or nothing when no pool does.
    pub async fn find_snapshot(&self, id: &SnapshotId) -> Result<Option<(&LocalPool, Snapshot)>> {
        let mut absent = None;
        for pool in &self.pools {
            let Some(snapshots) = pool.backend.snapshots() else { continue };
            if let Some(snapshot) = unless_absent(snapshots.find(id).await, &mut absent)? {
                return Ok(Some((pool, snapshot)));
            }
        }
        absent.map_or(Ok(None), Err)
    }

    /// Returns the snapshot with the pool that holds it.
    pub async fn snapshot(&self, id: &SnapshotId) -> Result<(&LocalPool, Snapshot)> {
        self.find_snapshot(id).await?.ok_or_else(|| Error::no_snapshot(id))
    }

    /// Returns at most `most` volumes of all pools behind `after`, sorted by id, each with its pool.
    pub async fn volumes(
        &self,
        after: Option<&VolumeId>,
        most: usize,
    ) -> Result<Vec<(&LocalPool, Volume)>> {
        let mut all = Vec::new();
        for pool in &self.pools {
            all.extend(pool.backend.list(after, most).await?.into_iter().map(|one| (pool, one)));
        }
        all.sort_by(|(_, a): &(_, Volume), (_, b)| a.id.cmp(&b.id));
        all.truncate(most);
        Ok(all)
    }

    /// Returns what is the matter with the volume in the pool that holds it.
    pub async fn health(&self, id: &VolumeId) -> Result<(&LocalPool, Vec<Condition>)> {
        let mut absent = None;
        for pool in &self.pools {
            if let Some(conditions) = unless_absent(pool.backend.health(id).await, &mut absent)? {
                return Ok((pool, conditions));
            }
        }
        Err(absent.unwrap_or_else(|| Error::no_volume(id)))
    }

    /// Returns what is the matter with the pools.
    pub async fn storage_health(&self) -> Result<Vec<StorageCondition>> {
        let asking = self.pools.iter().map(|pool| {
            let backend = Arc::clone(&pool.backend);
            async move { backend.storage_health().await }
        });
        together(asking).await
    }
}

/// Takes the answer of a pool that is not there for nothing, and keeps it.
fn unless_absent<T>(answer: Result<Option<T>>, absent: &mut Option<Error>) -> Result<Option<T>> {
    match answer {
        Err(error @ Error::Absent { .. }) => {
            *absent = Some(error);
            Ok(None)
        }
        answer => answer,
    }
}

/// Asks all pools at once: one that hangs must not keep the others' answers back.
async fn together<T: Send + 'static>(
    asking: impl Iterator<Item = impl Future<Output = Result<Vec<T>>> + Send + 'static>,
) -> Result<Vec<T>> {
    let tasks: JoinSet<_> = asking.map(Instrument::in_current_span).collect();
    let answers = tasks.join_all().await;
    Ok(answers.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}
