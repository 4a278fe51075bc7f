//! What a pool can still give.

use crate::volume::Bytes;

/// What a pool can still give: what GetCapacity answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// In all.
    pub available: Bytes,
    /// The largest volume that could be created now.
    pub largest: Bytes,
    /// The smallest volume there can be.
    pub least: Bytes,
}
