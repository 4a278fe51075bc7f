//! What an image pool does, done straight: the same programs, records, fsyncs, allocation, block size and direct
//! I/O, and nothing else.
//!
//! Nobody is asked, nothing is looked up, nothing is counted, no second one is kept away: it is what the work
//! itself costs on this machine. Whatever the driver takes beyond it is its own.

mod steps;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use orlop::fs::{Format, format, set_uuid};
use orlop::sys::beneath::{Dir, DirLock};
use orlop::sys::blocking;
use orlop::sys::mount::{MountOptions, bind};
use orlop::volume::FsType;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::driver::Result;
use crate::pool::empty;
use steps::Store;

/// A directory laid out like a pool.
#[derive(Debug, Clone)]
pub(crate) struct ByHand {
    store: Arc<Store>,
    /// The way to the one task that removes what was deleted, as in the driver.
    deleted: mpsc::UnboundedSender<String>,
}

// === impl ByHand ===

impl ByHand {
    /// Lays the directory out. Every volume in it will have this text for a record.
    pub(crate) async fn new(dir: PathBuf, record: Vec<u8>) -> Result<Self> {
        let store = Arc::new(blocking(move || Store::make(&dir, record)).await?);
        let (deleted, waiting) = mpsc::unbounded_channel();
        tokio::spawn(remove(Arc::clone(&store), waiting));
        Ok(Self { store, deleted })
    }

    /// Makes a volume with an XFS.
    pub(crate) async fn create(&self, name: &str, bytes: u64) -> Result<()> {
        let (dir, lock) = self.with(name, move |store, name| store.begin(name, bytes)).await?;
        let xfs = Format { fs: FsType::Xfs, uuid: None, thin: true };
        format(&dir.path_of(steps::IMAGE), lock.duplicate()?, xfs).await?;
        self.publish_built(name, dir, lock).await
    }

    /// Makes a volume, or a snapshot, whose bytes are those of the file at `source`.
    pub(crate) async fn copy(&self, name: &str, source: &Path, bytes: u64) -> Result<()> {
        let source = source.to_owned();
        let built = self.with(name, move |store, name| {
            let built = store.begin(name, bytes)?;
            steps::share(&source, &built.0, bytes).map(|()| built)
        });
        let (dir, lock) = built.await?;
        self.publish_built(name, dir, lock).await
    }

    /// Makes the volume a device and mounts it at an existing directory.
    pub(crate) async fn stage(&self, name: &str, staging: &Path) -> Result<()> {
        let staging = staging.to_owned();
        self.with(name, move |store, name| store.stage(name, &staging)).await
    }

    /// Gives a copy a UUID of its own, which takes a mount for its log, and stages it.
    pub(crate) async fn finish_and_stage(&self, name: &str, staging: &Path) -> Result<()> {
        let at = staging.to_owned();
        self.with(name, move |store, name| store.replay(name, &at)).await?;
        let lock = self.with(name, Store::lock).await?;
        set_uuid(&self.image(name), FsType::Xfs, Uuid::new_v4(), lock.into()).await?;
        self.with(name, Store::sync_image).await?;
        self.stage(name, staging).await
    }

    /// Shows what is staged at a path that does not exist yet.
    pub(crate) async fn publish(&self, staging: &Path, target: &Path) -> Result<()> {
        let (staging, target) = (staging.to_owned(), target.to_owned());
        blocking(move || {
            std::fs::create_dir(&target)?;
            Ok(bind(&staging, &target, &MountOptions::default())?)
        })
        .await
    }

    pub(crate) async fn unpublish(&self, target: &Path) -> Result<()> {
        let target = target.to_owned();
        blocking(move || {
            steps::unmounted(&target)?;
            Ok(std::fs::remove_dir(&target)?)
        })
        .await
    }

    /// Unmounts the volume; its device goes with the mount.
    pub(crate) async fn unstage(&self, staging: &Path) -> Result<()> {
        let staging = staging.to_owned();
        blocking(move || steps::unmounted(&staging)).await
    }

    /// Lets the volume cease. Its blocks are freed in the background.
    pub(crate) async fn delete(&self, name: &str) -> Result<()> {
        let grave = self.with(name, Store::bury).await?;
        Ok(self.deleted.send(grave)?)
    }

    /// Waits until what was deleted is removed.
    pub(crate) async fn settled(&self) -> Result<()> {
        empty(&self.store.trash()).await
    }

    /// Returns the path of the volume's image.
    pub(crate) fn image(&self, name: &str) -> PathBuf {
        self.store.image(name)
    }

    async fn publish_built(&self, name: &str, dir: Dir, lock: DirLock) -> Result<()> {
        self.with(name, move |store, name| {
            let published = store.publish(name, &dir);
            drop(lock);
            published
        })
        .await
    }

    async fn with<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce(&Store, &str) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (store, name) = (Arc::clone(&self.store), name.to_owned());
        blocking(move || work(&store, &name)).await
    }
}

async fn remove(store: Arc<Store>, mut waiting: mpsc::UnboundedReceiver<String>) {
    while let Some(grave) = waiting.recv().await {
        let store = Arc::clone(&store);
        if let Err(why) = blocking(move || store.remove(&grave)).await {
            eprintln!("by hand: {why}");
        }
    }
}
