//! Group snapshots: all members cut at one instant, and gone as one.

use async_trait::async_trait;
use uuid::Uuid;

use super::Shared;
use super::kind::Kind;
use crate::backend::{Contents, LocalPool};
use crate::cluster::objects::{GroupSnapshot, GroupSnapshotStatus};
use crate::error::{Error, Result};
use crate::volume::{Group, GroupId, Snapshot, SnapshotId};

/// A group with the members that are there.
#[derive(Debug, Clone)]
pub(super) struct Found {
    group: Group,
    members: Vec<Snapshot>,
    /// The first that is not there.
    lost: Option<SnapshotId>,
}

#[async_trait]
impl Kind for GroupSnapshot {
    type Made = Found;

    fn check(&self, pool: &LocalPool) -> Result<()> {
        self.wanted()?;
        pool.groups().map(drop)
    }

    /// They are sorted, as for everybody who takes several.
    fn sources(&self) -> Result<Vec<String>> {
        Ok(self.wanted()?.sources().iter().map(ToString::to_string).collect())
    }

    async fn find(pool: &LocalPool, id: &GroupId) -> Result<Option<Found>> {
        let Some(groups) = pool.backend.groups() else { return Ok(None) };
        match groups.find(id).await? {
            Some(group) => with_members(pool, group).await.map(Some),
            None => Ok(None),
        }
    }

    async fn make(&self, pool: &LocalPool) -> Result<Found> {
        let group = pool.groups()?.cut(&self.wanted()?).await?.into_inner();
        with_members(pool, group).await
    }

    fn recognize(&self, found: &Found) -> Result<()> {
        found.group.clone().as_wanted(&self.wanted()?).map(drop)
    }

    fn needs_change(&self, found: &Found) -> Result<bool> {
        let Some(lost) = &found.lost else { return Ok(false) };
        Err(Error::unfit(format!(
            "group snapshot {} has lost its member {lost}: bring its directory back into the pool, or delete the group",
            found.group.id
        )))
    }

    async fn change(&self, _: &Shared, _: &LocalPool, _: &Found) -> Result<()> {
        Ok(())
    }

    async fn remove(pool: &LocalPool, id: &GroupId) -> Result<()> {
        pool.groups()?.delete(id).await.map(drop)
    }

    fn ready(made: &Found, pool: Uuid) -> GroupSnapshotStatus {
        GroupSnapshotStatus::ready(&made.group, &made.members, &pool.to_string())
    }

    fn is_in(contents: &Contents, id: &GroupId) -> bool {
        contents.groups.contains(id)
    }
}

async fn with_members(pool: &LocalPool, group: Group) -> Result<Found> {
    let snapshots = pool.backend.snapshots();
    let (mut members, mut lost) = (Vec::with_capacity(group.members().len()), None);
    for id in group.members() {
        let found = match snapshots {
            Some(snapshots) => snapshots.find(&id).await?,
            None => None,
        };
        match found {
            Some(member) => members.push(member),
            None => lost = lost.or(Some(id)),
        }
    }
    Ok(Found { group, members, lost })
}
