//! A memory pool that tells of its snapshots' blocks whatever a test wants it to.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use orlop::backend::memory::Memory;
use orlop::backend::{Backend, Changes, Local, LocalPool, Part, Registry, Snapshots};
use orlop::controller::{self, Controller};
use orlop::error::Result;
use orlop::host::simulated::Simulated;
use orlop::locks::Locks;
use orlop::volume::{Bytes, Content, Name, NewSnapshot, Snapshot, SnapshotId};

use crate::driver::NODE;

/// What a pool tells from a byte on.
pub type Tell = Box<dyn Fn(u64) -> Result<Part> + Send + Sync>;

/// The blocks of every snapshot.
pub struct Blocks {
    tell: Tell,
    asked: AtomicU64,
}

/// A memory pool that tells.
#[derive(Debug, Clone)]
pub struct Telling {
    pub pool: Arc<Memory>,
    blocks: Arc<Blocks>,
}

impl Telling {
    pub fn new(tell: impl Fn(u64) -> Result<Part> + Send + Sync + 'static) -> Self {
        let blocks = Arc::new(Blocks { tell: Box::new(tell), asked: AtomicU64::new(0) });
        let pool = Memory::new("default", Bytes::gib(1 << 20), Simulated::default());
        Self { pool: Arc::new(pool.telling(blocks.clone())), blocks }
    }

    /// Makes a volume, if there is none yet, and a snapshot of it, and returns the snapshot.
    pub async fn cut(&self, volume: &str, snapshot: &str, size: Bytes) -> Snapshot {
        let wanted = crate::conformance::wish(volume, Content::Block, size, None);
        self.pool.create(&wanted).await.unwrap();
        let name = Name::parse(snapshot).unwrap();
        let wanted = NewSnapshot { id: SnapshotId::of(&name), name, source: wanted.id };
        self.pool.cut(&wanted).await.unwrap().into_inner()
    }

    /// Returns how many parts the pool was asked for.
    pub fn asked(&self) -> u64 {
        self.blocks.asked.load(Ordering::SeqCst)
    }
}

impl fmt::Debug for Blocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocks").field("asked", &self.asked).finish_non_exhaustive()
    }
}

impl Blocks {
    fn part(&self, from: u64) -> Result<Part> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        (self.tell)(from)
    }
}

#[async_trait]
impl Changes for Blocks {
    async fn allocated(&self, _: &Snapshot, from: u64) -> Result<Part> {
        self.part(from)
    }

    async fn delta(&self, _: &Snapshot, _: &Snapshot, from: u64) -> Result<Part> {
        self.part(from)
    }
}

/// Returns the Controller service on the pool.
pub fn controller(backend: Arc<dyn Local>) -> Controller {
    Controller::new(settings(backend))
}

/// Returns what a Controller service on the pool is made of.
pub fn settings(backend: Arc<dyn Local>) -> controller::Settings {
    controller::Settings {
        pools: Arc::new(Registry::new(vec![LocalPool::new("default", NODE, backend)])),
        locks: Locks::default(),
        attach: true,
        max_volumes_per_node: 0,
        attaching: tokio::sync::Mutex::default(),
        default_size: Bytes::gib(1),
        enforcer: None,
    }
}
