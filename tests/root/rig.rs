//! A driver on a real image pool and the real kernel, in the mount namespace of one test.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use orlop::backend::LocalPool;
use orlop::backend::image::{ImagePool, Percent, Place, Provisioning, Ratio, Settings, WhenFull};
use orlop::csi::v1;
use orlop::host::kernel::Kernel;
use orlop::sys::mountinfo::MountTable;

use crate::driver::{Driver, NODE, text};
use crate::requests;
use crate::support::{Image, Mounted, in_mount_namespace, new_dir};

const GIB: u64 = 1 << 30;

/// The driver and what it stands on.
#[derive(Debug)]
pub(crate) struct Rig {
    pub(crate) driver: Driver,
    pub(crate) pool: Arc<ImagePool>,
    ground: Ground,
}

/// A directory with an XFS in it: room for a pool, and for no more.
#[derive(Debug)]
pub(crate) struct Ground {
    // In the order in which they must go.
    _mounted: Mounted,
    _image: Image,
    dir: tempfile::TempDir,
}

/// Runs the test in a namespace of its own, against a driver of its own.
pub(crate) fn with_rig<F: Future<Output = Rig>>(test: impl FnOnce(Rig) -> F) {
    in_mount_namespace();
    let ground = Ground::new();
    // One thread: what it starts inherits the namespace.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ground = runtime.block_on(async {
        let rig = test(Rig::on(ground).await).await;
        rig.is_clean().await;
        rig.ground
    });
    // The driver's tasks end with it; only then does nobody hold the pool.
    drop(runtime);
    drop(ground);
}

// === impl Ground ===

impl Ground {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let image = Image::formatted(dir.path(), "pool.img", 20 * GIB, "xfs");
        let mounted = image.mount("xfs", &new_dir(dir.path(), "pool"));
        Self { _mounted: mounted, _image: image, dir }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }
}

// === impl Rig ===

impl Rig {
    async fn on(ground: Ground) -> Self {
        let pool = ImagePool::open(settings(ground.path())).await.unwrap();
        let driver = Driver::start(pool.clone(), Arc::new(Kernel::default()), 0).await;
        Self { driver, pool, ground }
    }

    /// Returns the same node with a new driver, which knows nothing but what the pool and the kernel tell it.
    pub(crate) async fn restarted(self) -> Self {
        let (room, ground) = self.stopped().await;
        Self::again(room, ground).await
    }

    /// Returns the same node with a new driver, and what another one said that found the pool's directory empty.
    pub(crate) async fn restarted_without_its_disk(self) -> (Self, String) {
        let (room, ground) = self.stopped().await;
        // Something empty over it is what a missing mount looks like.
        let at = ground.path().join("pool");
        let cover = Mounted::tmpfs(&at);
        let refused = ImagePool::open(settings(ground.path())).await.unwrap_err();
        // Detached: a program that another test is starting may hold what we had open until it runs.
        nix::mount::umount2(&at, nix::mount::MntFlags::MNT_DETACH).unwrap();
        std::mem::forget(cover);
        (Self::again(room, ground).await, refused.sentence())
    }

    /// Ends the driver, and returns what it leaves.
    async fn stopped(self) -> (tempfile::TempDir, Ground) {
        let Self { driver, pool, ground } = self;
        let room = driver.stop().await;
        // Its services end with their connections; then nobody owns the pool.
        let old = Arc::downgrade(&pool);
        drop(pool);
        while old.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
        (room, ground)
    }

    /// Starts a driver where another one has left off.
    async fn again(room: tempfile::TempDir, ground: Ground) -> Self {
        let pool = ImagePool::open(settings(ground.path())).await.unwrap();
        let pools = vec![LocalPool::new("default", NODE, pool.clone())];
        let driver = Driver::start_in(room, pools, Arc::new(Kernel::default()), 0).await;
        Self { driver, pool, ground }
    }

    /// Where the pool's volumes are.
    pub(crate) fn pool_dir(&self) -> PathBuf {
        self.ground.path().join("pool")
    }

    pub(crate) async fn create(&mut self, request: v1::CreateVolumeRequest) -> String {
        let answer = self.driver.controller.create_volume(request).await.unwrap();
        answer.into_inner().volume.unwrap().volume_id
    }

    /// Stages and publishes the volume and returns its target path.
    pub(crate) async fn publish(&mut self, id: &str, capability: &v1::VolumeCapability) -> PathBuf {
        let staging = self.driver.staging(&format!("staging {id}"));
        let target = self.driver.path(&format!("target {id}"));
        let volume_capability = Some(capability.clone());
        let request = requests::stage(id, &staging);
        let stage = v1::NodeStageVolumeRequest { volume_capability, ..request };
        self.driver.node.node_stage_volume(stage).await.unwrap();
        let volume_capability = Some(capability.clone());
        let request = requests::publish(id, &staging, &text(&target));
        let publish = v1::NodePublishVolumeRequest { volume_capability, ..request };
        self.driver.node.node_publish_volume(publish).await.unwrap();
        target
    }

    pub(crate) async fn unpublish(&mut self, id: &str) {
        let staging = text(&self.driver.path(&format!("staging {id}")));
        let target = text(&self.driver.path(&format!("target {id}")));
        let request = requests::unpublish(id, &target);
        self.driver.node.node_unpublish_volume(request).await.unwrap();
        self.driver.node.node_unstage_volume(requests::unstage(id, &staging)).await.unwrap();
    }

    pub(crate) async fn delete(&mut self, id: &str) {
        self.driver.controller.delete_volume(requests::delete(id)).await.unwrap();
    }

    /// Asserts that nothing is left: no volume, no mount, no loop device, no file.
    async fn is_clean(&self) {
        self.pool.settled().await;
        for room in ["volumes", "snapshots", "groups", "new", "trash"] {
            let left: Vec<_> = std::fs::read_dir(self.pool_dir().join(room)).unwrap().collect();
            assert!(left.is_empty(), "left in {room}: {left:?}");
        }
        let table = MountTable::read().unwrap();
        let room = self.driver.room.path();
        let left: Vec<_> = table.iter().filter(|mount| mount.at.starts_with(room)).collect();
        assert!(left.is_empty(), "left mounted: {left:?}");
        assert_eq!(loops_below(&self.pool_dir()), Vec::<String>::new());
        assert!(self.driver.locks.held().is_empty());
    }
}

/// Returns the settings of a directory pool below the room.
pub(crate) fn settings(room: &Path) -> Settings {
    Settings {
        name: "default".to_owned(),
        node: NODE.to_owned(),
        place: Place::Directory { path: room.join("pool"), shared_accepted: false },
        provisioning: Provisioning::Thin(Ratio::whole(10)),
        reserve: Percent(2),
        low_water: Percent(5),
        when_full: WhenFull::Fail,
        mount_dir: room.join("mounts"),
        require_shared_mounts: false,
        freeze_limit: Duration::from_secs(5),
    }
}

/// Returns the backing files below the directory that a loop device still has, as the kernel names them.
pub(crate) fn loops_below(dir: &Path) -> Vec<String> {
    let all = std::fs::read_dir("/sys/block").unwrap().flatten();
    let files = all
        .filter_map(|entry| std::fs::read_to_string(entry.path().join("loop/backing_file")).ok());
    files.filter(|file| Path::new(file).starts_with(dir)).collect()
}
