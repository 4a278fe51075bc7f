//! The image pool: a file per volume, made a device by a loop device when it is used.
//!
//! A pool is a directory that describes itself ([`layout`]): each volume has a record beside its image, and
//! becomes real, changes and ceases by one rename ([`store`]). What it may promise is kept in a [`ledger`];
//! what the kernel does with an image is asked of the kernel each time ([`uses`]). The records are read once at
//! start, because a pool has one owner.

mod adopt;
mod attach;
mod ballast;
mod building;
mod ceased;
mod changes;
pub mod check;
mod cleaner;
pub mod copy;
mod copying;
mod create;
mod cut;
mod delete;
mod error;
mod expand;
mod export;
mod figures;
mod finish;
mod format;
mod group;
mod health;
mod holders;
mod identity;
mod import;
pub mod inspect;
mod last_seen;
mod layout;
mod ledger;
mod memory;
mod open;
mod pause;
mod place;
pub mod read_only;
mod record;
mod scan;
mod settings;
mod shelf;
mod spare;
mod store;
mod superblock;
mod surplus;
mod uses;

use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

pub use record::Flaw;
pub use settings::{Percent, Place, Provisioning, Ratio, Settings, WhenFull};
pub use shelf::Damaged;

use super::{
    Attached, Backend, Capacity, Changes, Contents, Device, Ensured, Groups, Hold, Local,
    PoolFigures, Snapshots, Transfer,
};
use crate::error::Result;
use crate::fs;
use crate::sys::beneath::DirLock;
use crate::sys::blocking;
use crate::sys::questions::Questions;
use crate::volume::{
    Attachment, Bytes, Condition, Content, Group, GroupId, Limits, NewGroup, NewSnapshot,
    NewVolume, Snapshot, SnapshotId, StorageCondition, Unwell, Volume, VolumeId,
};

use cleaner::Cleaner;
use group::GroupRecord;
use health::About;
use last_seen::LastSeen;
use ledger::{Ledger, Reservation, Space};
use pause::Pausing;
use place::Located;
use record::{SnapshotRecord, VolumeRecord};
use shelf::Shelf;
use store::Store;

/// The least size of a raw volume: one block.
const LEAST_BLOCK: Bytes = Bytes(4096);

/// Returns the least size of a volume with this content, in any image pool.
pub fn least_size(content: Content) -> Bytes {
    match content {
        Content::FileSystem(fs) => fs::least_size(fs),
        Content::Block => LEAST_BLOCK,
    }
}

/// A pool of images.
#[derive(Debug)]
pub struct ImagePool {
    settings: Settings,
    uuid: Uuid,
    located: Located,
    store: Arc<Store>,
    ledger: Arc<Ledger>,
    volumes: Arc<Shelf<VolumeRecord>>,
    snapshots: Arc<Shelf<SnapshotRecord>>,
    groups: Arc<Shelf<GroupRecord>>,
    cleaner: Cleaner,
    pausing: Arc<Pausing>,
    seen: Arc<LastSeen>,
    questions: Questions<About>,
    /// Whether a copy can share its bytes with the original.
    reflink: bool,
    /// Whether extents tell which blocks of a snapshot changed.
    tells_changes: bool,
    /// What makes this process the pool's one owner.
    _owner: DirLock,
}

// === impl ImagePool ===

impl ImagePool {
    /// Returns the volumes, snapshots and groups whose records cannot be read: they are in nobody's way, but keep
    /// their space and their ids.
    pub fn damaged(&self) -> Vec<Damaged> {
        let damaged = self.volumes.damaged().into_iter().chain(self.snapshots.damaged());
        damaged.chain(self.groups.damaged()).collect()
    }

    /// Returns the volumes that wait until the pool has room again.
    pub fn paused(&self) -> Vec<VolumeId> {
        self.pausing.paused()
    }

    /// Waits until what was deleted so far takes no space any more.
    pub async fn settled(&self) {
        self.cleaner.idle().await;
    }

    /// Speaks for so many bytes of the pool, for something that then has `whole`. What is being removed is waited
    /// for.
    async fn reserve(&self, bytes: Bytes, whole: Bytes) -> error::Result<Reservation> {
        let refused = match self.ledger.reserve(bytes, whole, self.space().await?) {
            Ok(room) => return Ok(room),
            Err(refused) => refused,
        };
        if !self.cleaner.is_busy() {
            return Err(refused.into());
        }
        let removed = tokio::time::timeout(cleaner::PATIENCE, self.cleaner.idle()).await;
        tracing::debug!(all = removed.is_ok(), "waited for what is being removed");
        Ok(self.ledger.reserve(bytes, whole, self.space().await?)?)
    }

    async fn space(&self) -> error::Result<Space> {
        let located = self.located.clone();
        Ok(blocking(move || located.space()).await?)
    }
}

#[async_trait]
impl Backend for ImagePool {
    fn least_size(&self, content: Content) -> Bytes {
        least_size(content)
    }

    async fn create(&self, wanted: &NewVolume) -> Result<Ensured<Volume>> {
        Ok(self.create_volume(wanted).await?)
    }

    async fn delete(&self, id: &VolumeId) -> Result<Ensured<()>> {
        Ok(self.delete_volume(id).await?)
    }

    async fn find(&self, id: &VolumeId) -> Result<Option<Volume>> {
        Ok(self.volumes.find(id).await?.map(|record| record.volume))
    }

    async fn list(&self, after: Option<&VolumeId>, most: usize) -> Result<Vec<Volume>> {
        Ok(self.volumes.page(after, most).into_iter().map(|record| record.volume).collect())
    }

    async fn expand(&self, id: &VolumeId, size: Bytes) -> Result<Volume> {
        Ok(self.expand_volume(id, size).await?)
    }

    async fn set_limits(&self, id: &VolumeId, limits: Limits) -> Result<()> {
        self.change(id, |record| record.volume.limits = limits).await?;
        Ok(())
    }

    async fn set_attachments(&self, id: &VolumeId, attachments: &[Attachment]) -> Result<()> {
        let attachments = attachments.to_vec();
        self.change(id, move |record| record.volume.attachments = attachments).await?;
        Ok(())
    }

    async fn capacity(&self, content: Content) -> Result<Capacity> {
        let space = self.space().await?;
        let available = self.ledger.available(space);
        let largest = available.min(space.total.round_down(LEAST_BLOCK.0));
        Ok(Capacity { available, largest, least: self.least_size(content) })
    }

    fn snapshots(&self) -> Option<&dyn Snapshots> {
        Some(self)
    }

    fn changes(&self) -> Option<&dyn Changes> {
        self.tells_changes.then_some(self)
    }

    fn groups(&self) -> Option<&dyn Groups> {
        Some(self)
    }
}

#[async_trait]
impl Local for ImagePool {
    fn uuid(&self) -> Result<Uuid> {
        Ok(self.uuid)
    }

    async fn contents(&self) -> Result<Contents> {
        let alone = self.snapshots.ids().into_iter().filter(|id| id.group().is_none());
        Ok(Contents {
            volumes: self.volumes.ids(),
            snapshots: alone.collect(),
            groups: self.groups.ids(),
        })
    }

    async fn figures(&self, most: usize) -> Result<PoolFigures> {
        Ok(self.figures_of_pool(most).await?)
    }

    async fn attach(&self, id: &VolumeId) -> Result<Attached> {
        Ok(self.attach_volume(id).await?)
    }

    async fn attached(&self, id: &VolumeId) -> Result<Option<Device>> {
        Ok(self.device_of(id).await?)
    }

    async fn detach(&self, id: &VolumeId) -> Result<Ensured<()>> {
        Ok(self.detach_volume(id).await?)
    }

    fn admits(&self) -> Result<()> {
        Ok(self.pausing.admits()?)
    }

    async fn keep_running(&self, id: &VolumeId) -> Result<Box<dyn Hold>> {
        Ok(self.pausing.keep_running(id).await?)
    }

    async fn grow_device(&self, id: &VolumeId) -> Result<Bytes> {
        Ok(self.grow_device_of(id).await?)
    }

    async fn health(&self, id: &VolumeId) -> Result<Option<Vec<Condition>>> {
        Ok(self.health_of(id).await?)
    }

    async fn unwell(&self, after: Option<&VolumeId>, most: usize) -> Result<Vec<Unwell>> {
        Ok(self.unwell_volumes(after, most).await?)
    }

    async fn storage_health(&self) -> Result<Vec<StorageCondition>> {
        Ok(self.health_of_pool().await)
    }

    fn transfer(&self) -> Option<&dyn Transfer> {
        Some(self)
    }
}

#[async_trait]
impl Snapshots for ImagePool {
    async fn cut(&self, wanted: &NewSnapshot) -> Result<Ensured<Snapshot>> {
        Ok(self.cut_snapshot(wanted).await?)
    }

    async fn delete(&self, id: &SnapshotId) -> Result<Ensured<()>> {
        Ok(self.delete_snapshot(id).await?)
    }

    async fn find(&self, id: &SnapshotId) -> Result<Option<Snapshot>> {
        Ok(self.snapshots.find(id).await?.map(|record| record.snapshot))
    }

    async fn list(&self, after: Option<&SnapshotId>, most: usize) -> Result<Vec<Snapshot>> {
        Ok(self.snapshots.page(after, most).into_iter().map(|record| record.snapshot).collect())
    }
}

#[async_trait]
impl Groups for ImagePool {
    async fn cut(&self, wanted: &NewGroup) -> Result<Ensured<Group>> {
        Ok(self.cut_group(wanted).await?)
    }

    async fn delete(&self, id: &GroupId) -> Result<Ensured<()>> {
        Ok(self.delete_group(id).await?)
    }

    async fn find(&self, id: &GroupId) -> Result<Option<Group>> {
        Ok(self.groups.find(id).await?.map(|record| record.group))
    }
}
