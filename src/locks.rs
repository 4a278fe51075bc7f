//! One operation per volume and per snapshot at a time; a second one is told so at once.
//!
//! A lock is a reservation, not a queue: there is nothing to wait in, so there is nothing to deadlock.
//! Reads take none. The guard is owned by the request's task, not by the client's connection, so it lives
//! exactly as long as the work does.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::error::{Error, Result};

/// The ids that somebody is working on, and since when.
#[derive(Debug, Clone, Default)]
pub struct Locks {
    held: Arc<Mutex<HashMap<String, Instant>>>,
}

/// A reservation of one id; given back on drop.
#[must_use = "the id is free again as soon as the guard is dropped"]
#[derive(Debug)]
pub struct Guard {
    held: Arc<Mutex<HashMap<String, Instant>>>,
    id: String,
}

// === impl Locks ===

impl Locks {
    /// Reserves the id, or says that an operation on it is still running.
    ///
    /// Volume and snapshot ids never collide (`v-…`, `s-…`), so one table serves both.
    pub fn try_lock(&self, id: &impl fmt::Display) -> Result<Guard> {
        let id = id.to_string();
        let mut held = lock(&self.held);
        if let Some(began) = held.get(&id) {
            return Err(Error::Pending { seconds: Some(began.elapsed().as_secs()), id });
        }
        held.insert(id.clone(), Instant::now());
        drop(held);
        tracing::trace!(id, "lock taken");
        Ok(Guard { held: Arc::clone(&self.held), id })
    }

    /// Returns the ids that are reserved now, the longest held first.
    pub fn held(&self) -> Vec<(String, Instant)> {
        let mut all: Vec<_> = lock(&self.held).iter().map(|(id, at)| (id.clone(), *at)).collect();
        all.sort_by_key(|(_, began)| *began);
        all
    }
}

// === impl Guard ===

impl Drop for Guard {
    fn drop(&mut self) {
        lock(&self.held).remove(&self.id);
        tracing::trace!(id = self.id, "lock given back");
    }
}

/// The table is whole between any two of its operations, so a panic elsewhere does not poison its meaning.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_on_the_same_id_is_pending_until_the_first_is_dropped() {
        let locks = Locks::default();
        let first = locks.try_lock(&"v-1").unwrap();
        assert!(matches!(locks.try_lock(&"v-1"), Err(Error::Pending { id, .. }) if id == "v-1"));
        let other = locks.try_lock(&"v-2").unwrap();
        assert_eq!(locks.held().len(), 2);
        drop(first);
        drop(locks.try_lock(&"v-1").unwrap());
        drop(other);
        assert!(locks.held().is_empty());
    }
}
