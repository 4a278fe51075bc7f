//! What a pool has and has promised, added up from its disk.

use crate::backend::image::error::Result;
use crate::backend::image::ledger::{Ledger, Space};
use crate::backend::image::settings::Settings;
use crate::sys::beneath::Dir;
use crate::sys::statvfs;
use crate::volume::Bytes;

/// What all of a pool adds up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sums {
    /// How many volumes there are.
    pub volumes: usize,
    /// How many snapshots there are.
    pub snapshots: usize,
    /// What their sizes add up to.
    pub promised: Bytes,
    /// What may be promised in all.
    pub limit: Bytes,
    /// What their images take, shared bytes counted with each of them.
    pub allocated: Bytes,
    /// The size of the pool's file system.
    pub size: Bytes,
    /// What is taken of it, by whomever.
    pub used: Bytes,
    /// What can be written to it.
    pub free: Bytes,
}

// === impl Sums ===

impl Sums {
    /// Returns the sums of a pool in which nothing was counted yet.
    pub(super) fn of_disk(root: &Dir, settings: &Settings) -> Result<Self> {
        let usage = statvfs::usage(root.path())?;
        let (size, free) = (Bytes(usage.total_bytes), Bytes(usage.available_bytes));
        let space = Space { total: size, free, outside: None, shared: false };
        let limit = Ledger::new(settings, Bytes::ZERO).limit(space);
        Ok(Self { limit, size, used: Bytes(usage.used_bytes), free, ..Self::default() })
    }
}
