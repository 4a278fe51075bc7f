//! A disk of its own for each test of the image pool, and pools on it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use orlop::backend::image::{ImagePool, Percent, Place, Provisioning, Ratio, Settings, WhenFull};
use orlop::error::{Error, Result};
use orlop::sys::{loopdev, mount};
use orlop::volume::{
    Asked, BlockSize, Bytes, Content, FsType, Limits, Name, NewVolume, Source, VolumeId,
};

use crate::support::{Image, Mounted, in_mount_namespace, new_dir};

/// An XFS that can reflink, in a sparse file, with room for pools.
#[derive(Debug)]
pub(crate) struct Disk {
    // In the order in which they must go.
    runtime: tokio::runtime::Runtime,
    _mounted: Mounted,
    _image: Image,
    dir: tempfile::TempDir,
}

// === impl Disk ===

impl Disk {
    /// Makes the disk, in a mount namespace of the test's own.
    pub(crate) fn new() -> Self {
        Self::with(4 << 30, "xfs")
    }

    pub(crate) fn with(size: u64, fs: &str) -> Self {
        in_mount_namespace();
        let dir = tempfile::tempdir().unwrap();
        let image = Image::formatted(dir.path(), "disk.img", size, fs);
        let mounted = image.mount(fs, &new_dir(dir.path(), "disk"));
        // Its threads inherit the namespace.
        let runtime = tokio::runtime::Runtime::new().unwrap();
        Self { runtime, _mounted: mounted, _image: image, dir }
    }

    /// Returns a directory that is on the disk that holds the disk's file.
    pub(crate) fn outside(&self) -> &Path {
        self.dir.path()
    }

    /// Returns where the pool is that the settings mean.
    pub(crate) fn pool(&self) -> PathBuf {
        self.dir.path().join("disk/pool")
    }

    pub(crate) fn thin(&self) -> Settings {
        self.settings(Provisioning::Thin(Ratio::whole(2)))
    }

    pub(crate) fn thick(&self) -> Settings {
        self.settings(Provisioning::Thick)
    }

    fn settings(&self, provisioning: Provisioning) -> Settings {
        Settings {
            name: "test".into(),
            node: "n1".into(),
            place: Place::Directory { path: self.pool(), shared_accepted: true },
            provisioning,
            reserve: Percent(2),
            low_water: Percent(5),
            when_full: WhenFull::Fail,
            mount_dir: self.dir.path().join("mounts"),
            require_shared_mounts: false,
            freeze_limit: Duration::from_secs(5),
        }
    }

    /// Runs the test's own part with the thin pool, which is dropped before the disk goes.
    pub(crate) fn run<T>(&self, test: impl AsyncFnOnce(Arc<ImagePool>) -> T) -> T {
        self.run_with(self.thin(), test)
    }

    pub(crate) fn run_with<T>(
        &self,
        settings: Settings,
        test: impl AsyncFnOnce(Arc<ImagePool>) -> T,
    ) -> T {
        self.block_on(async {
            let pool = ImagePool::open(settings).await.unwrap();
            let value = test(Arc::clone(&pool)).await;
            pool.settled().await;
            value
        })
    }

    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Opens the pool and expects that this is refused.
    pub(crate) fn refused(&self, settings: Settings) -> String {
        self.block_on(ImagePool::open(settings)).unwrap_err().sentence()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        for kind in ["volumes", "snapshots"] {
            let Ok(entries) = std::fs::read_dir(self.pool().join(kind)) else { continue };
            for entry in entries.flatten() {
                drop(loopdev::detach_image(&entry.path().join("data.img")));
            }
        }
    }
}

/// A pool in a place of its own; its mount and its device go when this is dropped.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) settings: Settings,
}

impl Own {
    pub(crate) fn new(disk: &Disk, place: Place, provisioning: Provisioning) -> Self {
        let settings = Settings { name: "own".into(), place, provisioning, ..disk.thin() };
        Self { settings }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.settings.mount_point()
    }

    pub(crate) fn unmount(&self) {
        // What a dropped pool was doing in the background ends a moment later.
        for _ in 0..100 {
            if mount::unmount_all(&self.root()).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        eprintln!("{} is still mounted", self.root().display());
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.unmount();
    }
}

pub(crate) fn wish(name: &str, content: Content, size: Bytes) -> NewVolume {
    let name = Name::parse(name).unwrap();
    NewVolume {
        id: VolumeId::of(&name),
        name,
        size,
        asked: Asked { required: Some(size), limit: None },
        content,
        block_size: BlockSize::default(),
        limits: Limits::NONE,
        source: None,
    }
}

pub(crate) fn copy_of(name: &str, source: Source, content: Content, size: Bytes) -> NewVolume {
    NewVolume { source: Some(source), ..wish(name, content, size) }
}

pub(crate) fn xfs(name: &str) -> NewVolume {
    wish(name, Content::FileSystem(FsType::Xfs), Bytes::mib(300))
}

pub(crate) fn ext4(name: &str) -> NewVolume {
    wish(name, Content::FileSystem(FsType::Ext4), Bytes::mib(64))
}

pub(crate) fn block(name: &str) -> NewVolume {
    wish(name, Content::Block, Bytes::mib(16))
}

/// Returns what an unfit state is said to be.
pub(crate) fn unfit<T: std::fmt::Debug>(answer: Result<T>) -> String {
    match answer {
        Err(error @ Error::Unfit { .. }) => error.sentence(),
        other => panic!("{other:?} is not unfit"),
    }
}
