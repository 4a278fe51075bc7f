//! The node's side: it fulfils the wishes for its own pools, and writes what is true of them.
//!
//! Each kind of object is watched by its node alone. An object is fulfilled by one [`fulfil`] step after another: look
//! at the pool, compare it with the wish, do what is missing, tell. So it does not matter where an earlier driver was
//! killed, which event was missed, or how often one comes. Nothing here is needed to use a volume: without the API
//! server the Node service goes on, and wishes wait.

mod desk;
mod fulfil;
mod group;
mod health;
mod kind;
mod link;
mod pools;
mod snapshot;
mod tell;
mod volume;
mod watch;

use std::fmt;
use std::sync::Arc;

use kube::Client;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backend::{Enforcer, Freed, Listener, LocalPool, Orphans, Registry};
use crate::cluster::objects::{GroupSnapshot, Home, Snapshot, Volume};
use crate::locks::Locks;

use desk::Desk;
use link::Link;
use pools::Pools;

/// How many wishes are worked on at the same time; what they need is done by the kernel and by programs.
const MOST_AT_ONCE: usize = 32;

/// What a node works with.
pub struct Settings {
    /// The way to the API server.
    pub client: Client,
    /// The name of this Node.
    pub node: String,
    /// Its pools.
    pub pools: Registry,
    /// Shared with the Node service.
    pub locks: Locks,
    /// What enforces the limits of volumes on this node.
    pub enforcer: Arc<dyn Enforcer>,
    /// Where it is counted what has no object.
    pub orphans: Orphans,
    /// Where it is told that a volume is not staged any more.
    pub freed: Freed,
}

/// A node that is at work.
#[derive(Debug)]
pub struct Node {
    shared: Arc<Shared>,
}

/// What to do about a pool that the config of its node does not have.
const BRING_THE_POOL_BACK: &str =
    "give the node the labels of the pool's nodeSelector again, or its config the pool";

/// Where the wishes of each kind arrive.
#[derive(Debug, Clone)]
struct Desks {
    volumes: Arc<Desk<Volume>>,
    snapshots: Arc<Desk<Snapshot>>,
    groups: Arc<Desk<GroupSnapshot>>,
}

/// What all parts share.
struct Shared {
    settings: Settings,
    link: Link,
    room: Semaphore,
    /// Something has changed that the Pool objects tell.
    changed: Notify,
    stop: CancellationToken,
    tasks: TaskTracker,
}

// === impl Node ===

impl Node {
    /// Begins to fulfil the wishes of this node, and goes on until it is stopped. The API server need not be there.
    pub fn start(settings: Settings) -> Self {
        let shared = Arc::new(Shared {
            settings,
            link: Link::default(),
            room: Semaphore::new(MOST_AT_ONCE),
            changed: Notify::new(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        let desks = Desks::new(&shared);
        let freed = shared.settings.freed.listen();
        let pools = Pools::new(&shared);
        let tasks = &shared.tasks;
        tasks.spawn(watch::watch(Arc::clone(&shared), Arc::clone(&desks.volumes)));
        tasks.spawn(watch::watch(Arc::clone(&shared), Arc::clone(&desks.snapshots)));
        tasks.spawn(watch::watch(Arc::clone(&shared), Arc::clone(&desks.groups)));
        tasks.spawn(watch::watch(Arc::clone(&shared), Arc::clone(&pools)));
        tasks.spawn(look_again(Arc::clone(&shared), Arc::clone(&desks.volumes), freed));
        tasks.spawn(health::look_after(Arc::clone(&shared), desks.clone()));
        tasks.spawn(pools.keep(desks));
        Self { shared }
    }

    /// Begins nothing new, and returns when what began is done.
    pub async fn stop(&self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

// === impl Desks ===

impl Desks {
    fn new(shared: &Arc<Shared>) -> Self {
        let (volumes, snapshots) = (Desk::new(shared), Desk::new(shared));
        Self { volumes, snapshots, groups: Desk::new(shared) }
    }

    /// Says whether all objects are known.
    fn are_synced(&self) -> bool {
        self.volumes.is_synced() && self.snapshots.is_synced() && self.groups.is_synced()
    }
}

/// Lets whoever waits to remove a volume look again when it is not staged any more, until the node stops.
async fn look_again(shared: Arc<Shared>, desk: Arc<Desk<Volume>>, mut freed: Listener) {
    let work = async {
        loop {
            desk.wake(freed.next().await.as_ref());
        }
    };
    tokio::select! {
        () = work => {}
        () = shared.stop.cancelled() => {}
    }
}

// === impl Shared ===

impl Shared {
    /// Returns the pool of this node that is meant.
    fn pool(&self, home: &Home) -> Option<&LocalPool> {
        self.settings.pools.iter().find(|pool| *pool.name == *home.pool)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("node", &self.settings.node).finish_non_exhaustive()
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("node", &self.node).finish_non_exhaustive()
    }
}
