//! What a pool can tell of the blocks of its snapshots without reading them.

use std::fmt;
use std::ops::Range;

use async_trait::async_trait;

use crate::error::Result;
use crate::volume::Snapshot;

/// What a pool knows of the blocks of its snapshots.
///
/// An answer comes in parts of a bounded size, each asked for by where it begins, so that between two of them
/// nothing is held: no lock, no file, no thread. A snapshot may therefore be deleted between two parts, and even
/// while one is made: then that part is `NotFound`, and never an answer about what is not there any more.
///
/// The same part asked for again is the same, as long as the snapshots are there.
#[async_trait]
pub trait Changes: fmt::Debug + Send + Sync {
    /// Returns the next of the ranges from byte `from` on in which the snapshot may hold anything but zeros.
    async fn allocated(&self, snapshot: &Snapshot, from: u64) -> Result<Part>;

    /// Returns the next of the ranges from byte `from` on in which `target` may differ from `base`, up to the
    /// end of `target`. What lies behind the end of `base` differs if it may hold anything but zeros.
    ///
    /// A range too many is only a nuisance; one that is missing is lost data.
    async fn delta(&self, base: &Snapshot, target: &Snapshot, from: u64) -> Result<Part>;
}

/// A part of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// Ranges of bytes in ascending order, of which no two touch. The last one may go on in the next part.
    pub ranges: Vec<Range<u64>>,
    /// Where the next part begins; nothing when the answer ends with this one.
    pub next: Option<u64>,
}
