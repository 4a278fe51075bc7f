//! The pools of the config by name: which one a class means, and which one holds an id.

use std::sync::Arc;

use tokio::task::JoinSet;
use tracing::Instrument;

use super::Pool;
use crate::error::{Error, Result};
use crate::volume::{
    Condition, Group, GroupId, Snapshot, SnapshotId, StorageCondition, Unwell, Volume, VolumeId,
};

/// The name of the pool that a class without the parameter `pool` means when there are several.
const DEFAULT: &str = "default";

/// All pools, in the order of the config.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    pools: Vec<Pool>,
}

// === impl Registry ===

impl Registry {
    /// Returns a registry of these pools, whose names the config has found to differ.
    pub fn new(pools: Vec<Pool>) -> Self {
        Self { pools }
    }

    /// Returns the pools in the order of the config.
    pub fn iter(&self) -> impl Iterator<Item = &Pool> {
        self.pools.iter()
    }

    /// Returns whether any pool can tell which blocks of a snapshot changed.
    pub fn tell_changes(&self) -> bool {
        self.pools.iter().any(|pool| pool.backend.changes().is_some())
    }

    /// Returns the pool that a class means.
    pub fn choose(&self, name: Option<&str>) -> Result<&Pool> {
        let names = || {
            let names: Vec<_> = self.pools.iter().map(|pool| &*pool.name).collect();
            names.join(", ")
        };
        let called = |wanted: &str| self.pools.iter().find(|pool| *pool.name == *wanted);
        match (name, self.pools.as_slice()) {
            (Some(name), _) => called(name).ok_or_else(|| {
                Error::invalid(
                    "parameters.pool",
                    format!("there is no pool {name:?}; there is: {}", names()),
                )
            }),
            (None, [only]) => Ok(only),
            (None, _) => called(DEFAULT).ok_or_else(|| {
                let reason = format!(
                    "is required where no pool is named {DEFAULT:?}; there is: {}",
                    names()
                );
                Error::invalid("parameters.pool", reason)
            }),
        }
    }

    /// Returns the volume with the pool that holds it, or nothing when no pool does. It may be in one that is not
    /// there: that is an error.
    pub async fn find(&self, id: &VolumeId) -> Result<Option<(&Pool, Volume)>> {
        let mut absent = None;
        for pool in &self.pools {
            if let Some(volume) = unless_absent(pool.backend.find(id).await, &mut absent)? {
                return Ok(Some((pool, volume)));
            }
        }
        absent.map_or(Ok(None), Err)
    }

    /// Returns the same for a volume that is to be made if there is none. No orchestrator asks for one name in two
    /// pools, so that one which is not there keeps nobody from creating in the others.
    pub async fn find_or_make(&self, id: &VolumeId) -> Result<Option<(&Pool, Volume)>> {
        unless_absent(self.find(id).await, &mut None)
    }

    /// Returns the volume with the pool that holds it.
    pub async fn volume(&self, id: &VolumeId) -> Result<(&Pool, Volume)> {
        self.find(id).await?.ok_or_else(|| Error::no_volume(id))
    }

    /// Returns the pool that keeps anything under the id, though its record may be unreadable or its disk dead:
    /// enough to undo what was done with the volume on this node.
    pub async fn keeper(&self, id: &VolumeId) -> Option<&Pool> {
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
    pub async fn find_snapshot(&self, id: &SnapshotId) -> Result<Option<(&Pool, Snapshot)>> {
        let mut absent = None;
        for pool in &self.pools {
            let Some(snapshots) = pool.backend.snapshots() else { continue };
            if let Some(snapshot) = unless_absent(snapshots.find(id).await, &mut absent)? {
                return Ok(Some((pool, snapshot)));
            }
        }
        absent.map_or(Ok(None), Err)
    }

    /// Returns the same for a snapshot that is to be cut if there is none: see [`Self::find_or_make`].
    pub async fn find_snapshot_or_cut(&self, id: &SnapshotId) -> Result<Option<(&Pool, Snapshot)>> {
        unless_absent(self.find_snapshot(id).await, &mut None)
    }

    /// Returns the snapshot with the pool that holds it.
    pub async fn snapshot(&self, id: &SnapshotId) -> Result<(&Pool, Snapshot)> {
        self.find_snapshot(id).await?.ok_or_else(|| Error::no_snapshot(id))
    }

    /// Returns the group snapshot with the pool that holds it, or nothing when no pool does.
    pub async fn find_group(&self, id: &GroupId) -> Result<Option<(&Pool, Group)>> {
        let mut absent = None;
        for pool in &self.pools {
            let Some(groups) = pool.backend.groups() else { continue };
            if let Some(group) = unless_absent(groups.find(id).await, &mut absent)? {
                return Ok(Some((pool, group)));
            }
        }
        absent.map_or(Ok(None), Err)
    }

    /// Returns the same for a group that is to be cut if there is none: see [`Self::find_or_make`].
    pub async fn find_group_or_cut(&self, id: &GroupId) -> Result<Option<(&Pool, Group)>> {
        unless_absent(self.find_group(id).await, &mut None)
    }

    /// Returns at most `most` volumes of all pools behind `after`, sorted by id, each with its pool.
    pub async fn volumes(
        &self,
        after: Option<&VolumeId>,
        most: usize,
    ) -> Result<Vec<(&Pool, Volume)>> {
        let mut all = Vec::new();
        for pool in &self.pools {
            all.extend(pool.backend.list(after, most).await?.into_iter().map(|one| (pool, one)));
        }
        all.sort_by(|(_, a): &(_, Volume), (_, b)| a.id.cmp(&b.id));
        all.truncate(most);
        Ok(all)
    }

    /// Returns what is the matter with the volume in the pool that holds it.
    pub async fn health(&self, id: &VolumeId) -> Result<(&Pool, Vec<Condition>)> {
        let mut absent = None;
        for pool in &self.pools {
            if let Some(conditions) = unless_absent(pool.backend.health(id).await, &mut absent)? {
                return Ok((pool, conditions));
            }
        }
        Err(absent.unwrap_or_else(|| Error::no_volume(id)))
    }

    /// Returns at most `most` volumes of all pools behind `after` with which something is the matter, sorted by id.
    pub async fn unwell(&self, after: Option<&VolumeId>, most: usize) -> Result<Vec<Unwell>> {
        let after = after.cloned();
        let asking = self.pools.iter().map(|pool| {
            let (backend, after) = (Arc::clone(&pool.backend), after.clone());
            async move { backend.unwell(after.as_ref(), most).await }
        });
        let mut all = together(asking).await?;
        all.sort_by(|a: &Unwell, b| a.id.cmp(&b.id));
        all.truncate(most);
        Ok(all)
    }

    /// Returns what is the matter with the pools.
    pub async fn storage_health(&self) -> Result<Vec<StorageCondition>> {
        let asking = self.pools.iter().map(|pool| {
            let backend = Arc::clone(&pool.backend);
            async move { backend.storage_health().await }
        });
        together(asking).await
    }

    /// Returns at most `most` snapshots of all pools behind `after`, sorted by id, each with its pool.
    pub async fn snapshots(
        &self,
        after: Option<&SnapshotId>,
        most: usize,
    ) -> Result<Vec<(&Pool, Snapshot)>> {
        let mut all = Vec::new();
        for pool in &self.pools {
            let Some(snapshots) = pool.backend.snapshots() else { continue };
            all.extend(snapshots.list(after, most).await?.into_iter().map(|one| (pool, one)));
        }
        all.sort_by(|(_, a): &(_, Snapshot), (_, b)| a.id.cmp(&b.id));
        all.truncate(most);
        Ok(all)
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
