//! What the pool has promised, so that it never promises what it cannot keep.
//!
//! Capacity is a sum of sizes and not of allocated blocks: a reflink turns unwritten extents into holes, a
//! trim frees blocks, and a write to a shared block takes a new one whatever `fallocate` did. Whoever needs
//! room takes a [`Reservation`] first, builds, and then commits it; dropping it gives the room back. The mutex
//! is held for the arithmetic alone: what the file system says of its space is asked before.

use std::sync::{Arc, Mutex, PoisonError};

use super::ballast;
use super::settings::{Percent, Provisioning, Settings};
use crate::error::{Error, Result};
use crate::volume::Bytes;

/// Sizes are given in multiples of this.
const UNIT: u64 = 4096;

/// However small a pool is: for records, directories, and what XFS itself keeps back.
const LEAST_RESERVE: Bytes = Bytes::mib(64);

/// What the pool may promise and what it has.
#[derive(Debug)]
pub(super) struct Ledger {
    place: String,
    provisioning: Provisioning,
    reserve: Percent,
    low_water: Percent,
    /// Whether the volumes wait when less than the reserve is free.
    pauses: bool,
    promised: Mutex<Bytes>,
}

/// What the file system below the pool says of its space at this instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Space {
    /// Its size.
    pub(super) total: Bytes,
    /// What can be written: not more than the outside has, if there is one.
    pub(super) free: Bytes,
    /// What a sparse pool file is bounded by besides its own size.
    pub(super) outside: Option<Outside>,
    /// Whether others fill the same file system.
    pub(super) shared: bool,
}

/// The file system that a sparse pool file lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outside {
    /// Its size.
    pub(super) total: Bytes,
    /// What can be written to it.
    pub(super) free: Bytes,
}

/// Room that is spoken for. Given back on drop, unless it was committed.
#[must_use = "the room is free again as soon as the reservation is dropped"]
#[derive(Debug)]
pub(super) struct Reservation {
    ledger: Arc<Ledger>,
    bytes: Bytes,
}

// === impl Ledger ===

impl Ledger {
    /// Returns the ledger of a pool that has promised this much already.
    pub(super) fn new(settings: &Settings, promised: Bytes) -> Arc<Self> {
        Arc::new(Self {
            place: settings.place_name(),
            provisioning: settings.provisioning,
            reserve: settings.reserve,
            low_water: settings.low_water,
            pauses: settings.pauses(),
            promised: Mutex::new(promised),
        })
    }

    /// Speaks for so many bytes, of something that then has `whole`, or says that there is no room.
    ///
    /// Whatever a ratio allows in all, nothing alone can be larger than the pool.
    pub(super) fn reserve(
        self: &Arc<Self>,
        bytes: Bytes,
        whole: Bytes,
        space: Space,
    ) -> Result<Reservation> {
        let exhausted = |asked, free| Error::Exhausted { place: self.place.clone(), asked, free };
        if whole > space.total {
            return Err(exhausted(whole, space.total));
        }
        let mut promised = self.lock();
        let free = self.left(*promised, space);
        if bytes > free {
            return Err(exhausted(bytes, free));
        }
        *promised = promised.plus(bytes);
        drop(promised);
        Ok(Reservation { ledger: Arc::clone(self), bytes })
    }

    /// Takes over room that was committed before, to give it back when what filled it is gone.
    pub(super) fn take_over(self: &Arc<Self>, bytes: Bytes) -> Reservation {
        Reservation { ledger: Arc::clone(self), bytes }
    }

    /// Corrects what was counted for something whose size is known better now.
    pub(super) fn correct(&self, counted: Bytes, really: Bytes) {
        let mut promised = self.lock();
        *promised = promised.less(counted).plus(really);
    }

    /// Returns what can still be promised.
    pub(super) fn available(&self, space: Space) -> Bytes {
        self.left(self.promised(), space).round_down(UNIT)
    }

    /// Returns all that the pool has promised.
    pub(super) fn promised(&self) -> Bytes {
        *self.lock()
    }

    /// Returns what may be promised in all, be the space free or not.
    pub(super) fn limit(&self, space: Space) -> Bytes {
        self.left(Bytes::ZERO, Space { free: space.total, outside: None, shared: false, ..space })
    }

    fn left(&self, promised: Bytes, space: Space) -> Bytes {
        match self.provisioning {
            Provisioning::Thick => {
                let reserve = self.reserve.of(space.total).max(LEAST_RESERVE);
                let left = space.total.less(reserve).less(ballast::SIZE).less(promised);
                // Others may have taken what our sum knows nothing of.
                if space.shared { left.min(space.free) } else { left }
            }
            Provisioning::Thin(_) if self.is_low(space) => Bytes::ZERO,
            Provisioning::Thin(ratio) => ratio.times(space.total).less(promised),
        }
    }

    /// Says whether so little is free that nothing new is promised.
    pub(super) fn is_low(&self, space: Space) -> bool {
        // What would be paused at once is not promised either.
        let low = |total: Bytes, free: Bytes| {
            let reserve = if self.pauses { self.reserve.of_thin(total) } else { Bytes::ZERO };
            free < self.low_water.of(total).max(reserve)
        };
        low(space.total, space.free)
            || space.outside.is_some_and(|outside| low(outside.total, outside.free))
    }

    /// The sum is right between any two of its operations, so a panic elsewhere does not spoil it.
    fn lock(&self) -> std::sync::MutexGuard<'_, Bytes> {
        self.promised.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Reservation ===

impl Reservation {
    /// Takes so many bytes, if there are as many, out of this reservation into one of their own.
    pub(super) fn split(&mut self, bytes: Bytes) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes = self.bytes.less(bytes);
        Self { ledger: Arc::clone(&self.ledger), bytes }
    }

    /// Leaves the room taken: what was built for it is real now.
    pub(super) fn commit(mut self) {
        self.bytes = Bytes::ZERO;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut promised = self.ledger.lock();
        *promised = promised.less(self.bytes);
    }
}

#[cfg(test)]
mod tests;
