//! The calls that are running now: what a driver that is told to stop waits for, and names if it cannot. And a
//! tally of those that ended.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use super::{Masked, Tally};

/// The calls that are running now; clones are the same table.
#[derive(Debug, Clone, Default)]
pub struct Calls {
    tasks: TaskTracker,
    running: Arc<Mutex<BTreeMap<u64, Running>>>,
    next: Arc<AtomicU64>,
    tally: Tally,
    masked: Masked,
}

/// A call that is running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Its name.
    pub name: String,
    /// When it began.
    pub began: Instant,
}

/// A row of the table, taken out on drop, also when the call panics.
#[derive(Debug)]
pub(super) struct Entry {
    running: Arc<Mutex<BTreeMap<u64, Running>>>,
    number: u64,
}

// === impl Calls ===

impl Calls {
    /// Returns the calls that are running, the oldest first.
    pub fn running(&self) -> Vec<Running> {
        lock(&self.running).values().cloned().collect()
    }

    /// Returns the tally of the calls that ended.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Returns the count of the errors that callers were not told.
    pub fn masked(&self) -> &Masked {
        &self.masked
    }

    /// Waits until no call is running. Only sensible when no new one can come.
    pub async fn finished(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Runs the work of a call in a task of its own, which goes on when nobody waits for it any more.
    pub(super) fn spawn<F>(&self, name: &str, work: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let entry = self.enter(name);
        self.tasks.spawn(async move {
            let output = work.await;
            drop(entry);
            output
        })
    }

    /// Gives a call its row.
    pub(super) fn enter(&self, name: &str) -> Entry {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let running = Running { name: name.to_owned(), began: Instant::now() };
        lock(&self.running).insert(number, running);
        Entry { running: Arc::clone(&self.running), number }
    }
}

// === impl Running ===

impl fmt::Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (for {} s)", self.name, self.began.elapsed().as_secs())
    }
}

// === impl Entry ===

impl Drop for Entry {
    fn drop(&mut self) {
        lock(&self.running).remove(&self.number);
    }
}

/// The table is whole between any two of its operations, so a panic elsewhere does not poison its meaning.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
