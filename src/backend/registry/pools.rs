//! The pools of one process as a Controller service asks for them.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Registry, together, unless_absent};
use crate::backend::placement::Wish;
use crate::backend::{Capacity, LocalPool, Pool, Pools};
use crate::error::Result;
use crate::volume::{
    Condition, Content, Group, GroupId, Requirement, Snapshot, SnapshotId, Unwell, Volume, VolumeId,
};

/// Lets somebody have the pool who may keep it, and who must not care where it is.
fn owned<T>((pool, thing): (&LocalPool, T)) -> (Pool, T) {
    (pool.to_pool(), thing)
}

#[async_trait]
impl Pools for Registry {
    fn are_here(&self) -> bool {
        true
    }

    async fn meant(&self, class: Option<&str>) -> Result<String> {
        Ok(self.named(class)?.name.to_string())
    }

    /// All pools are on one node: it only has to be among those that are allowed. Who has the room is found out by
    /// creating.
    async fn choose(&self, wish: &Wish<'_>) -> Result<Pool> {
        let pool = self.named(Some(wish.pool))?.to_pool();
        pool.satisfies(wish.required)?;
        Ok(pool)
    }

    /// A node without a pool is none of this process's.
    async fn has_node(&self, node: &str) -> Result<bool> {
        Ok(self.iter().any(|pool| *pool.node == *node))
    }

    async fn capacity(
        &self,
        class: Option<&str>,
        within: &Requirement,
        content: Content,
    ) -> Result<Option<Capacity>> {
        let pool = self.named(class)?.to_pool();
        if !within.admits(&pool.topology()) {
            return Ok(None);
        }
        pool.backend.capacity(content).await.map(Some)
    }

    async fn find(&self, id: &VolumeId) -> Result<Option<(Pool, Volume)>> {
        Ok(Self::find(self, id).await?.map(owned))
    }

    async fn find_or_make(&self, id: &VolumeId) -> Result<Option<(Pool, Volume)>> {
        Ok(unless_absent(Self::find(self, id).await, &mut None)?.map(owned))
    }

    async fn volumes(&self, after: Option<&VolumeId>, most: usize) -> Result<Vec<(Pool, Volume)>> {
        Ok(Self::volumes(self, after, most).await?.into_iter().map(owned).collect())
    }

    async fn find_snapshot(&self, id: &SnapshotId) -> Result<Option<(Pool, Snapshot)>> {
        Ok(Self::find_snapshot(self, id).await?.map(owned))
    }

    async fn find_snapshot_or_cut(&self, id: &SnapshotId) -> Result<Option<(Pool, Snapshot)>> {
        Ok(unless_absent(Self::find_snapshot(self, id).await, &mut None)?.map(owned))
    }

    async fn snapshots(
        &self,
        after: Option<&SnapshotId>,
        most: usize,
    ) -> Result<Vec<(Pool, Snapshot)>> {
        let mut all = Vec::new();
        for pool in self.iter() {
            let Some(snapshots) = pool.backend.snapshots() else { continue };
            all.extend(snapshots.list(after, most).await?.into_iter().map(|one| (pool, one)));
        }
        all.sort_by(|(_, a): &(_, Snapshot), (_, b)| a.id.cmp(&b.id));
        all.truncate(most);
        Ok(all.into_iter().map(owned).collect())
    }

    async fn find_group(&self, id: &GroupId) -> Result<Option<(Pool, Group)>> {
        let mut absent = None;
        for pool in self.iter() {
            let Some(groups) = pool.backend.groups() else { continue };
            if let Some(group) = unless_absent(groups.find(id).await, &mut absent)? {
                return Ok(Some(owned((pool, group))));
            }
        }
        absent.map_or(Ok(None), Err)
    }

    async fn find_group_or_cut(&self, id: &GroupId) -> Result<Option<(Pool, Group)>> {
        unless_absent(self.find_group(id).await, &mut None)
    }

    async fn health(&self, id: &VolumeId) -> Result<Vec<Condition>> {
        Self::health(self, id).await.map(|(_, conditions)| conditions)
    }

    async fn unwell(&self, after: Option<&VolumeId>, most: usize) -> Result<Vec<Unwell>> {
        let asking = self.iter().map(|pool| {
            let (backend, after) = (Arc::clone(&pool.backend), after.cloned());
            async move { backend.unwell(after.as_ref(), most).await }
        });
        let mut all = together(asking).await?;
        all.sort_by(|a: &Unwell, b| a.id.cmp(&b.id));
        all.truncate(most);
        Ok(all)
    }
}
