//! How much lies in the pools of this node for which a cluster has no object.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The counts of orphans by pool, shared between who finds them and who shows them.
#[derive(Debug, Clone, Default)]
pub struct Orphans {
    counts: Arc<Mutex<BTreeMap<String, usize>>>,
}

// === impl Orphans ===

impl Orphans {
    /// Notes how many a pool has.
    pub fn set(&self, pool: &str, count: usize) {
        self.lock().insert(pool.to_owned(), count);
    }

    /// Returns how many each pool has that was looked at: none without a cluster.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        self.lock().clone()
    }

    /// Says whether there are any.
    pub fn are_there(&self) -> bool {
        self.lock().values().any(|count| *count > 0)
    }

    /// The map is whole between any two of its operations, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
