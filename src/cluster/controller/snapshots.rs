//! The snapshots of a pool that is elsewhere. A member is in the object of its group.

use async_trait::async_trait;

use super::Shared;
use super::remote::Remote;
use super::seen::Seen;
use crate::backend::{Ensured, Snapshots};
use crate::cluster::objects::{self, GroupSnapshot, Home};
use crate::error::Result;
use crate::volume::{NewSnapshot, Snapshot, SnapshotId};

type Object = objects::Snapshot;

#[async_trait]
impl Snapshots for Remote {
    async fn cut(&self, wanted: &NewSnapshot) -> Result<Ensured<Snapshot>> {
        self.shared.fulfil(Object::wish(wanted, &self.home)).await
    }

    async fn delete(&self, id: &SnapshotId) -> Result<Ensured<()>> {
        self.shared.remove::<Object>(id.as_str()).await
    }

    async fn find(&self, id: &SnapshotId) -> Result<Option<Snapshot>> {
        let found = self.shared.snapshot(id).await?;
        Ok(found.filter(|(home, _)| *home == self.home).map(|(_, snapshot)| snapshot))
    }

    async fn list(&self, after: Option<&SnapshotId>, most: usize) -> Result<Vec<Snapshot>> {
        let all = self.shared.all_snapshots(after, most, |home| *home == self.home);
        Ok(all.into_iter().map(|(_, snapshot)| snapshot).collect())
    }
}

// === impl Shared ===

impl Shared {
    /// Returns the snapshot, be it a member of a group, and where it is; nothing when none is cut.
    pub(super) async fn snapshot(&self, id: &SnapshotId) -> Result<Option<(Home, Snapshot)>> {
        let Some(group) = id.group() else {
            let seen = self.look::<Object>(id.as_str()).await?;
            return Ok(seen.and_then(|seen| Some((seen.home.clone(), seen.made()?.clone()))));
        };
        let seen = self.look::<GroupSnapshot>(group.as_str()).await?;
        Ok(seen.and_then(|seen| {
            let (_, members) = seen.made()?;
            let member = members.iter().find(|member| member.id == *id)?;
            Some((seen.home.clone(), member.clone()))
        }))
    }

    /// Returns at most `most` snapshots behind `after` that are in such pools, sorted by id.
    pub(super) fn all_snapshots(
        &self,
        after: Option<&SnapshotId>,
        most: usize,
        is_wanted: impl Fn(&Home) -> bool,
    ) -> Vec<(Home, Snapshot)> {
        let mut all = Vec::new();
        // Each list is sorted, and none of the second comes before one of the first: the letters of the ids see to it.
        self.groups.each(|_, seen| {
            let members = seen.made().filter(|_| is_wanted(&seen.home)).map(|(_, members)| members);
            let behind = |one: &&Snapshot| after.is_none_or(|after| one.id > *after);
            let members = members.into_iter().flatten().filter(behind);
            all.extend(members.map(|member| (seen.home.clone(), member.clone())));
        });
        all.sort_by(|(_, a), (_, b)| a.id.cmp(&b.id));
        all.truncate(most);
        let made = |seen: &Seen<Object>| {
            let snapshot = seen.made().filter(|_| is_wanted(&seen.home))?;
            Some((seen.home.clone(), snapshot.clone()))
        };
        let left = most - all.len();
        all.extend(self.snapshots.some(after.map(SnapshotId::as_str), left, |_, seen| made(seen)));
        all
    }
}
