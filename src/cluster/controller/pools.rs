//! All pools of the cluster, as the Controller service asks for them.

use async_trait::async_trait;

use super::change::pending;
use super::kind::Kind;
use super::remote::Remote;
use super::seen::{Progress, Seen};
use super::{Cluster, Shared};
use crate::backend::placement::Wish;
use crate::backend::{Capacity, Pool, Pools};
use crate::cluster::objects::{self, GroupSnapshot, Home};
use crate::error::{Error, Result};
use crate::volume::{
    Attachment, Condition, Content, Group, GroupId, Requirement, Snapshot, SnapshotId, Timestamp,
    Unwell, Volume, VolumeId,
};

#[async_trait]
impl Pools for Cluster {
    fn are_here(&self) -> bool {
        false
    }

    async fn meant(&self, class: Option<&str>) -> Result<String> {
        self.shared.meant(class)
    }

    async fn choose(&self, wish: &Wish<'_>) -> Result<Pool> {
        let (home, spoken) = self.shared.choose(wish)?;
        Ok(Remote::pool(&self.shared, &home, Some(spoken)))
    }

    async fn capacity(
        &self,
        class: Option<&str>,
        within: &Requirement,
        content: Content,
    ) -> Result<Option<Capacity>> {
        let name = self.shared.meant(class)?;
        Ok(self.shared.capacity(&name, within, content))
    }

    async fn has_node(&self, node: &str) -> Result<bool> {
        self.shared.has_node(node).await
    }

    async fn find(&self, id: &VolumeId) -> Result<Option<(Pool, Volume)>> {
        self.found::<objects::Volume>(id).await
    }

    async fn find_or_make(&self, id: &VolumeId) -> Result<Option<(Pool, Volume)>> {
        self.finished::<objects::Volume>(id).await
    }

    /// What is being made can be removed as well as what is there.
    async fn keeper(&self, id: &VolumeId) -> Result<Option<(Pool, Vec<Attachment>)>> {
        let seen = self.shared.look::<objects::Volume>(id.as_str()).await?;
        Ok(seen.map(|seen| {
            let attachments = seen.made().map(|volume| volume.attachments.clone());
            (self.pool(&seen.home), attachments.unwrap_or_default())
        }))
    }

    async fn volumes(&self, after: Option<&VolumeId>, most: usize) -> Result<Vec<(Pool, Volume)>> {
        let after = after.map(VolumeId::as_str);
        let made = |seen: &Seen<objects::Volume>| Some((seen.home.clone(), seen.made()?.clone()));
        let all = self.shared.volumes.some(after, most, |_, seen| made(seen));
        Ok(all.into_iter().map(|(home, volume)| (self.pool(&home), volume)).collect())
    }

    async fn find_snapshot(&self, id: &SnapshotId) -> Result<Option<(Pool, Snapshot)>> {
        if id.group().is_some() {
            let found = self.shared.snapshot(id).await?;
            return Ok(found.map(|(home, snapshot)| (self.pool(&home), snapshot)));
        }
        self.found::<objects::Snapshot>(id).await
    }

    async fn find_snapshot_or_cut(&self, id: &SnapshotId) -> Result<Option<(Pool, Snapshot)>> {
        self.finished::<objects::Snapshot>(id).await
    }

    async fn snapshot_keeper(&self, id: &SnapshotId) -> Result<Option<Pool>> {
        if id.group().is_some() {
            return Ok(self.find_snapshot(id).await?.map(|(pool, _)| pool));
        }
        let seen = self.shared.look::<objects::Snapshot>(id.as_str()).await?;
        Ok(seen.map(|seen| self.pool(&seen.home)))
    }

    async fn snapshots(
        &self,
        after: Option<&SnapshotId>,
        most: usize,
    ) -> Result<Vec<(Pool, Snapshot)>> {
        let all = self.shared.all_snapshots(after, most, |_| true);
        Ok(all.into_iter().map(|(home, snapshot)| (self.pool(&home), snapshot)).collect())
    }

    async fn find_group(&self, id: &GroupId) -> Result<Option<(Pool, Group)>> {
        let found = self.found::<GroupSnapshot>(id).await?;
        Ok(found.map(|(pool, (group, _))| (pool, group)))
    }

    async fn find_group_or_cut(&self, id: &GroupId) -> Result<Option<(Pool, Group)>> {
        let found = self.finished::<GroupSnapshot>(id).await?;
        Ok(found.map(|(pool, (group, _))| (pool, group)))
    }

    /// The members of a group are known before it is cut.
    async fn group_keeper(&self, id: &GroupId) -> Result<Option<(Pool, Group)>> {
        let Some(seen) = self.shared.look::<GroupSnapshot>(id.as_str()).await? else {
            return Ok(None);
        };
        let pool = self.pool(&seen.home);
        if let Some((group, _)) = seen.made() {
            return Ok(Some((pool, group.clone())));
        }
        let Some(object) = self.shared.read::<GroupSnapshot>(id.as_str()).await? else {
            return Ok(None);
        };
        Ok(Some((pool, object.wanted()?.cut_at(Timestamp::now()))))
    }

    async fn health(&self, id: &VolumeId) -> Result<Vec<Condition>> {
        let seen = self.shared.look::<objects::Volume>(id.as_str()).await?;
        seen.map(|seen| self.shared.conditions(&seen)).ok_or_else(|| Error::no_volume(id))
    }

    async fn unwell(&self, after: Option<&VolumeId>, most: usize) -> Result<Vec<Unwell>> {
        let unwell = |name: &str, seen: &Seen<objects::Volume>| {
            let conditions = self.shared.conditions(seen);
            let id = name.parse().ok().filter(|_| !conditions.is_empty())?;
            Some(Unwell { id, conditions })
        };
        Ok(self.shared.volumes.some(after.map(VolumeId::as_str), most, unwell))
    }
}

// === impl Cluster ===

impl Cluster {
    fn pool(&self, home: &Home) -> Pool {
        Remote::pool(&self.shared, home, None)
    }

    /// Returns what is there. Of what is being made nobody can say that it is not.
    async fn found<K: Kind>(&self, id: &K::Id) -> Result<Option<(Pool, K::Thing)>> {
        let name = id.to_string();
        let Some(seen) = self.shared.look::<K>(&name).await? else { return Ok(None) };
        match seen.progress()? {
            Progress::Made(thing) => Ok(Some((self.pool(&seen.home), thing.clone()))),
            Progress::Failed(_) => Ok(None),
            Progress::Unclaimed | Progress::Making => Err(pending(&name)),
        }
    }

    /// Returns what is there, or will be in a moment.
    async fn finished<K: Kind>(&self, id: &K::Id) -> Result<Option<(Pool, K::Thing)>> {
        let seen = Shared::finish::<K>(&self.shared, &id.to_string()).await?;
        let made = |seen: &Seen<K>| Some((self.pool(&seen.home), seen.made()?.clone()));
        Ok(seen.and_then(|seen| made(&seen)))
    }
}
