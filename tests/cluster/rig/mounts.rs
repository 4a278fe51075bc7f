//! What is mounted on one node. It outlives the node's programs, as on a machine.

use std::fs::File;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};

/// A mount namespace.
#[derive(Debug, Clone)]
pub(crate) struct Mounts(Arc<File>);

// === impl Mounts ===

impl Mounts {
    /// Returns those that the calling thread sees.
    pub(crate) fn here() -> Self {
        Self(Arc::new(File::open("/proc/thread-self/ns/mnt").unwrap()))
    }

    /// Returns new ones: at first they are those that the calling thread sees.
    pub(crate) fn new() -> Self {
        in_a_thread(|| {
            unshare(CloneFlags::CLONE_NEWNS).unwrap();
            Self::here()
        })
    }

    /// Lets the calling thread see these, and those that it starts.
    pub(crate) fn enter(&self) {
        // A thread that shares its working directory with others cannot.
        unshare(CloneFlags::CLONE_FS).unwrap();
        setns(&*self.0, CloneFlags::CLONE_NEWNS).unwrap();
    }

    /// Does the work where these are seen.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        in_a_thread(|| {
            self.enter();
            work()
        })
    }
}

/// Does the work in a thread that may change its namespaces: the caller's may be that of other tests, too.
pub(super) fn in_a_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(work).join()).unwrap_or_else(|panic| resume_unwind(panic))
}
