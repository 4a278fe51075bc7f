//! Snapshots: cut once, and never changed.

use async_trait::async_trait;
use uuid::Uuid;

use super::Shared;
use super::kind::Kind;
use crate::backend::{Contents, LocalPool, Snapshots};
use crate::cluster::objects::{Snapshot, SnapshotStatus};
use crate::error::{Error, Result};
use crate::volume::{self as noun, SnapshotId};

#[async_trait]
impl Kind for Snapshot {
    type Made = noun::Snapshot;

    fn check(&self, pool: &LocalPool) -> Result<()> {
        self.wanted()?;
        of(pool).map(drop)
    }

    fn sources(&self) -> Result<Vec<String>> {
        Ok(vec![self.wanted()?.source.to_string()])
    }

    async fn find(pool: &LocalPool, id: &SnapshotId) -> Result<Option<noun::Snapshot>> {
        match pool.backend.snapshots() {
            Some(snapshots) => snapshots.find(id).await,
            None => Ok(None),
        }
    }

    async fn make(&self, pool: &LocalPool) -> Result<noun::Snapshot> {
        Ok(of(pool)?.cut(&self.wanted()?).await?.into_inner())
    }

    fn recognize(&self, found: &noun::Snapshot) -> Result<()> {
        found.clone().as_wanted(&self.wanted()?).map(drop)
    }

    fn needs_change(&self, _: &noun::Snapshot) -> Result<bool> {
        Ok(false)
    }

    async fn change(&self, _: &Shared, _: &LocalPool, _: &noun::Snapshot) -> Result<()> {
        Ok(())
    }

    async fn remove(pool: &LocalPool, id: &SnapshotId) -> Result<()> {
        of(pool)?.delete(id).await.map(drop)
    }

    fn ready(made: &noun::Snapshot, pool: Uuid) -> SnapshotStatus {
        SnapshotStatus::ready(made, &pool.to_string())
    }

    fn is_in(contents: &Contents, id: &SnapshotId) -> bool {
        contents.snapshots.contains(id)
    }
}

fn of(pool: &LocalPool) -> Result<&dyn Snapshots> {
    let none = || Error::unfit(format!("pool {} can have no snapshots", pool.name));
    pool.backend.snapshots().ok_or_else(none)
}
