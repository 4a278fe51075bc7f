//! A pool whose disk is not there, or does not answer: it is tried again until it is, and the other pools are served
//! meanwhile.
//!
//! What is asked of it until then is refused in words and leaves nothing behind. Lists go without its volumes: an
//! orchestrator that is to hear of the others must not hear of none.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use super::{
    Attached, Backend, Capacity, Changes, Contents, Device, Ensured, Groups, Hold, Local,
    PoolFigures, Snapshots, Transfer, image,
};
use crate::error::{Error, Result};
use crate::volume::{
    Attachment, Bytes, Condition, Content, Group, GroupId, Limits, NewGroup, NewSnapshot,
    NewVolume, Reason, Snapshot, SnapshotId, StorageCondition, StorageSeverity, Unwell, Volume,
    VolumeId,
};

/// How long after a try the next one is.
const AGAIN: Duration = Duration::from_secs(5);

/// A pool that may come later.
#[derive(Debug)]
pub struct Late {
    place: String,
    why: Mutex<String>,
    opened: OnceLock<Arc<dyn Local>>,
}

// === impl Late ===

impl Late {
    /// Returns the pool, which is not there for this reason, and opens it as soon as it can be opened. If it is being
    /// opened already, it is not opened a second time beside that.
    pub fn begin<F>(
        name: &str,
        why: &Error,
        being_opened: Option<Pin<Box<F>>>,
        open: impl Fn() -> F + Send + Sync + 'static,
    ) -> Arc<Self>
    where
        F: Future<Output = Result<Arc<dyn Local>>> + Send + 'static,
    {
        let place = format!("pool {name}");
        let why = Mutex::new(reason(why));
        let late = Arc::new(Self { place, why, opened: OnceLock::new() });
        tokio::spawn(wait(Arc::downgrade(&late), being_opened, open));
        late
    }

    /// Returns the pool, if it is there by now.
    fn there(&self) -> Result<&dyn Local> {
        self.opened.get().map(|opened| &**opened).ok_or_else(|| self.absent())
    }

    fn note(&self, why: String) {
        *self.why.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    fn absent(&self) -> Error {
        let why = self.why.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Error::Absent { place: self.place.clone(), why }
    }
}

/// Tries again, as long as anybody has the pool.
async fn wait<F>(late: Weak<Late>, mut being_opened: Option<Pin<Box<F>>>, open: impl Fn() -> F)
where
    F: Future<Output = Result<Arc<dyn Local>>> + Send,
{
    loop {
        let opened = if let Some(opening) = being_opened.take() {
            opening.await
        } else {
            tokio::time::sleep(AGAIN).await;
            if late.strong_count() == 0 {
                return;
            }
            open().await
        };
        let Some(late) = late.upgrade() else { return };
        match opened {
            Ok(opened) => {
                tracing::info!("{} is there, and is served from now on", late.place);
                drop(late.opened.set(opened));
                return;
            }
            Err(error) => {
                let why = reason(&error);
                tracing::debug!(why, "{} is still not there", late.place);
                late.note(why);
            }
        }
    }
}

fn reason(error: &Error) -> String {
    if let Error::Absent { why, .. } = error { why.clone() } else { error.sentence() }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Backend for Late {
    fn least_size(&self, content: Content) -> Bytes {
        self.there().map_or_else(|_| image::least_size(content), |pool| pool.least_size(content))
    }

    async fn create(&self, wanted: &NewVolume) -> Result<Ensured<Volume>> {
        self.there()?.create(wanted).await
    }

    async fn delete(&self, id: &VolumeId) -> Result<Ensured<()>> {
        self.there()?.delete(id).await
    }

    async fn find(&self, id: &VolumeId) -> Result<Option<Volume>> {
        self.there()?.find(id).await
    }

    async fn list(&self, after: Option<&VolumeId>, most: usize) -> Result<Vec<Volume>> {
        match self.there() {
            Ok(pool) => pool.list(after, most).await,
            Err(_) => Ok(Vec::new()),
        }
    }

    async fn expand(&self, id: &VolumeId, size: Bytes) -> Result<Volume> {
        self.there()?.expand(id, size).await
    }

    async fn set_limits(&self, id: &VolumeId, limits: Limits) -> Result<()> {
        self.there()?.set_limits(id, limits).await
    }

    async fn set_attachments(&self, id: &VolumeId, attachments: &[Attachment]) -> Result<()> {
        self.there()?.set_attachments(id, attachments).await
    }

    async fn capacity(&self, content: Content) -> Result<Capacity> {
        match self.there() {
            Ok(pool) => pool.capacity(content).await,
            // An error would not keep the scheduler away.
            Err(_) => Ok(Capacity {
                available: Bytes::ZERO,
                largest: Bytes::ZERO,
                least: image::least_size(content),
            }),
        }
    }

    fn snapshots(&self) -> Option<&dyn Snapshots> {
        self.there().map_or(Some(self as &dyn Snapshots), |pool| pool.snapshots())
    }

    fn changes(&self) -> Option<&dyn Changes> {
        self.there().ok()?.changes()
    }

    fn groups(&self) -> Option<&dyn Groups> {
        self.there().map_or(Some(self as &dyn Groups), |pool| pool.groups())
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Local for Late {
    fn uuid(&self) -> Result<Uuid> {
        self.there()?.uuid()
    }

    async fn contents(&self) -> Result<Contents> {
        self.there()?.contents().await
    }

    async fn figures(&self, most: usize) -> Result<PoolFigures> {
        self.there()?.figures(most).await
    }

    async fn attach(&self, id: &VolumeId) -> Result<Attached> {
        self.there()?.attach(id).await
    }

    async fn attached(&self, id: &VolumeId) -> Result<Option<Device>> {
        self.there()?.attached(id).await
    }

    async fn detach(&self, id: &VolumeId) -> Result<Ensured<()>> {
        self.there()?.detach(id).await
    }

    fn admits(&self) -> Result<()> {
        self.there()?.admits()
    }

    async fn keep_running(&self, id: &VolumeId) -> Result<Box<dyn Hold>> {
        self.there()?.keep_running(id).await
    }

    async fn grow_device(&self, id: &VolumeId) -> Result<Bytes> {
        self.there()?.grow_device(id).await
    }

    async fn health(&self, id: &VolumeId) -> Result<Option<Vec<Condition>>> {
        self.there()?.health(id).await
    }

    async fn unwell(&self, after: Option<&VolumeId>, most: usize) -> Result<Vec<Unwell>> {
        match self.there() {
            Ok(pool) => pool.unwell(after, most).await,
            Err(_) => Ok(Vec::new()),
        }
    }

    async fn storage_health(&self) -> Result<Vec<StorageCondition>> {
        match self.there() {
            Ok(pool) => pool.storage_health().await,
            Err(absent) => Ok(vec![StorageCondition {
                severity: StorageSeverity::Unreachable,
                reason: Reason::PoolUnreachable,
                message: absent.sentence(),
            }]),
        }
    }

    fn transfer(&self) -> Option<&dyn Transfer> {
        self.there().ok()?.transfer()
    }
}

/// The snapshots of a pool that is not there; when it is, it is asked itself.
#[async_trait]
impl Snapshots for Late {
    async fn cut(&self, _wanted: &NewSnapshot) -> Result<Ensured<Snapshot>> {
        Err(self.absent())
    }

    async fn delete(&self, _id: &SnapshotId) -> Result<Ensured<()>> {
        Err(self.absent())
    }

    async fn find(&self, _id: &SnapshotId) -> Result<Option<Snapshot>> {
        Err(self.absent())
    }

    async fn list(&self, _after: Option<&SnapshotId>, _most: usize) -> Result<Vec<Snapshot>> {
        Ok(Vec::new())
    }
}

/// The groups of a pool that is not there, likewise.
#[async_trait]
impl Groups for Late {
    async fn cut(&self, _wanted: &NewGroup) -> Result<Ensured<Group>> {
        Err(self.absent())
    }

    async fn delete(&self, _id: &GroupId) -> Result<Ensured<()>> {
        Err(self.absent())
    }

    async fn find(&self, _id: &GroupId) -> Result<Option<Group>> {
        Err(self.absent())
    }
}
