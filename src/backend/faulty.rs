//! A backend that fails where a test wants it to: at its n-th call, before or after that call did its work.
//!
//! It proves that a handler undoes what it began, and that the same request again finishes the job. It wraps
//! any backend and forgets no method of the trait.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use uuid::Uuid;

use super::{
    Attached, Backend, Capacity, Changes, Contents, Device, Ensured, Groups, Hold, Import,
    Imported, Local, Part, PoolFigures, Snapshots, Transfer,
};
use crate::error::{Error, Result};
use crate::volume::{
    Attachment, Bytes, Condition, Content, Group, GroupId, Limits, NewGroup, NewSnapshot,
    NewVolume, Snapshot, SnapshotId, Source, StorageCondition, Unwell, Volume, VolumeId,
};

/// When a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Nothing was done.
    Before,
    /// Everything was done, but the answer is lost.
    After,
    /// Nothing is done, and no answer comes, as of a disk that hangs.
    Never,
}

/// A backend that fails once.
#[derive(Debug)]
pub struct Faulty {
    inner: Arc<dyn Local>,
    calls: AtomicU64,
    fails_at: u64,
    when: When,
}

// === impl Faulty ===

impl Faulty {
    /// Returns a backend whose call number `fails_at`, counted from 1, fails.
    pub fn new(inner: Arc<dyn Local>, fails_at: u64, when: When) -> Self {
        Self { inner, calls: AtomicU64::new(0), fails_at, when }
    }

    /// Returns whether the failing call was reached.
    pub fn has_failed(&self) -> bool {
        self.calls.load(Ordering::SeqCst) >= self.fails_at
    }

    async fn call<T>(&self, work: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let fault =
            || Error::internal(format!("call {number} of the backend"), "failed on purpose");
        if number == self.fails_at && self.when == When::Before {
            return Err(fault());
        }
        if number == self.fails_at && self.when == When::Never {
            return std::future::pending().await;
        }
        let outcome = work.await;
        if number == self.fails_at { Err(fault()) } else { outcome }
    }

    fn inner_changes(&self) -> Result<&dyn Changes> {
        let what = "changed blocks".to_owned();
        self.inner.changes().ok_or(Error::Unsupported { what })
    }

    fn inner_transfer(&self) -> Result<&dyn Transfer> {
        let what = "an import or export".to_owned();
        self.inner.transfer().ok_or(Error::Unsupported { what })
    }

    fn inner_snapshots(&self) -> Result<&dyn Snapshots> {
        self.inner.snapshots().ok_or_else(|| Error::Unsupported { what: "a snapshot".to_owned() })
    }

    fn inner_groups(&self) -> Result<&dyn Groups> {
        let none = || Error::Unsupported { what: "a group snapshot".to_owned() };
        self.inner.groups().ok_or_else(none)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Backend for Faulty {
    fn least_size(&self, content: Content) -> Bytes {
        self.inner.least_size(content)
    }

    async fn create(&self, wanted: &NewVolume) -> Result<Ensured<Volume>> {
        self.call(self.inner.create(wanted)).await
    }

    async fn delete(&self, id: &VolumeId) -> Result<Ensured<()>> {
        self.call(self.inner.delete(id)).await
    }

    async fn find(&self, id: &VolumeId) -> Result<Option<Volume>> {
        self.call(self.inner.find(id)).await
    }

    async fn list(&self, after: Option<&VolumeId>, most: usize) -> Result<Vec<Volume>> {
        self.call(self.inner.list(after, most)).await
    }

    async fn expand(&self, id: &VolumeId, size: Bytes) -> Result<Volume> {
        self.call(self.inner.expand(id, size)).await
    }

    async fn set_limits(&self, id: &VolumeId, limits: Limits) -> Result<()> {
        self.call(self.inner.set_limits(id, limits)).await
    }

    async fn set_attachments(&self, id: &VolumeId, attachments: &[Attachment]) -> Result<()> {
        self.call(self.inner.set_attachments(id, attachments)).await
    }

    async fn capacity(&self, content: Content) -> Result<Capacity> {
        self.call(self.inner.capacity(content)).await
    }

    fn snapshots(&self) -> Option<&dyn Snapshots> {
        self.inner.snapshots().map(|_| self as &dyn Snapshots)
    }

    fn changes(&self) -> Option<&dyn Changes> {
        self.inner.changes().map(|_| self as &dyn Changes)
    }

    fn groups(&self) -> Option<&dyn Groups> {
        self.inner.groups().map(|_| self as &dyn Groups)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Local for Faulty {
    fn uuid(&self) -> Result<Uuid> {
        self.inner.uuid()
    }

    async fn contents(&self) -> Result<Contents> {
        self.call(self.inner.contents()).await
    }

    async fn figures(&self, most: usize) -> Result<PoolFigures> {
        self.call(self.inner.figures(most)).await
    }

    async fn attach(&self, id: &VolumeId) -> Result<Attached> {
        self.call(self.inner.attach(id)).await
    }

    async fn attached(&self, id: &VolumeId) -> Result<Option<Device>> {
        self.call(self.inner.attached(id)).await
    }

    async fn detach(&self, id: &VolumeId) -> Result<Ensured<()>> {
        self.call(self.inner.detach(id)).await
    }

    fn admits(&self) -> Result<()> {
        self.inner.admits()
    }

    async fn keep_running(&self, id: &VolumeId) -> Result<Box<dyn Hold>> {
        self.call(self.inner.keep_running(id)).await
    }

    async fn grow_device(&self, id: &VolumeId) -> Result<Bytes> {
        self.call(self.inner.grow_device(id)).await
    }

    async fn health(&self, id: &VolumeId) -> Result<Option<Vec<Condition>>> {
        self.call(self.inner.health(id)).await
    }

    async fn unwell(&self, after: Option<&VolumeId>, most: usize) -> Result<Vec<Unwell>> {
        self.call(self.inner.unwell(after, most)).await
    }

    async fn storage_health(&self) -> Result<Vec<StorageCondition>> {
        self.call(self.inner.storage_health()).await
    }

    fn transfer(&self) -> Option<&dyn Transfer> {
        self.inner.transfer().map(|_| self as &dyn Transfer)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Snapshots for Faulty {
    async fn cut(&self, wanted: &NewSnapshot) -> Result<Ensured<Snapshot>> {
        let snapshots = self.inner_snapshots()?;
        self.call(snapshots.cut(wanted)).await
    }

    async fn delete(&self, id: &SnapshotId) -> Result<Ensured<()>> {
        let snapshots = self.inner_snapshots()?;
        self.call(snapshots.delete(id)).await
    }

    async fn find(&self, id: &SnapshotId) -> Result<Option<Snapshot>> {
        let snapshots = self.inner_snapshots()?;
        self.call(snapshots.find(id)).await
    }

    async fn list(&self, after: Option<&SnapshotId>, most: usize) -> Result<Vec<Snapshot>> {
        let snapshots = self.inner_snapshots()?;
        self.call(snapshots.list(after, most)).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Changes for Faulty {
    async fn allocated(&self, snapshot: &Snapshot, from: u64) -> Result<Part> {
        let changes = self.inner_changes()?;
        self.call(changes.allocated(snapshot, from)).await
    }

    async fn delta(&self, base: &Snapshot, target: &Snapshot, from: u64) -> Result<Part> {
        let changes = self.inner_changes()?;
        self.call(changes.delta(base, target, from)).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Groups for Faulty {
    async fn cut(&self, wanted: &NewGroup) -> Result<Ensured<Group>> {
        let groups = self.inner_groups()?;
        self.call(groups.cut(wanted)).await
    }

    async fn delete(&self, id: &GroupId) -> Result<Ensured<()>> {
        let groups = self.inner_groups()?;
        self.call(groups.delete(id)).await
    }

    async fn find(&self, id: &GroupId) -> Result<Option<Group>> {
        let groups = self.inner_groups()?;
        self.call(groups.find(id)).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Transfer for Faulty {
    async fn import(&self, wanted: &Import) -> Result<Imported> {
        let transfer = self.inner_transfer()?;
        self.call(transfer.import(wanted)).await
    }

    async fn export(&self, source: &Source, to: &Path, force: bool) -> Result<()> {
        let transfer = self.inner_transfer()?;
        self.call(transfer.export(source, to, force)).await
    }
}
