//! What this controller is about to promise, before the objects show it.
//!
//! A pool is chosen before the wish is written, and seen only when the watch has brought it. Between the two the room is
//! spoken for here, so that calls at the same time do not all find it free. Another controller does not see this: the
//! node has the last word, and refuses what does not fit.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::cluster::objects::Home;
use crate::error::Result;
use crate::volume::{Bytes, VolumeId};

/// All that is spoken for.
#[derive(Debug, Default)]
pub(super) struct Promises {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    last: u64,
    all: HashMap<u64, Promise>,
}

/// Room that is spoken for.
#[derive(Debug, Clone)]
pub(super) struct Promise {
    pub(super) home: Home,
    pub(super) bytes: Bytes,
    /// The volume that it is for, as soon as that has an object, or is about to.
    pub(super) volume: Option<VolumeId>,
}

/// The room is free again when this is dropped.
#[must_use = "the room is free again as soon as this is dropped"]
#[derive(Debug)]
pub(super) struct Spoken {
    promises: Arc<Promises>,
    number: u64,
}

// === impl Promises ===

impl Promises {
    /// Lets the function look at what is spoken for and decide on more, while nobody else does.
    pub(super) fn decide<T>(
        self: &Arc<Self>,
        decide: impl FnOnce(&mut dyn Iterator<Item = &Promise>) -> Result<(Promise, T)>,
    ) -> Result<(Spoken, T)> {
        let mut inner = self.lock();
        let (promise, decided) = decide(&mut inner.all.values())?;
        inner.last += 1;
        let number = inner.last;
        inner.all.insert(number, promise);
        drop(inner);
        Ok((Spoken { promises: Arc::clone(self), number }, decided))
    }

    /// Returns what is spoken for.
    pub(super) fn all(&self) -> Vec<Promise> {
        self.lock().all.values().cloned().collect()
    }

    /// The table is whole between any two of its operations.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Spoken ===

impl Spoken {
    /// Says what the room is for, now that it is known exactly. From when the volume's object is known, it counts alone.
    pub(super) fn is_for(&self, volume: &VolumeId, bytes: Bytes) {
        if let Some(promise) = self.promises.lock().all.get_mut(&self.number) {
            (promise.volume, promise.bytes) = (Some(volume.clone()), bytes);
        }
    }
}

impl Drop for Spoken {
    fn drop(&mut self) {
        self.promises.lock().all.remove(&self.number);
    }
}
