//! What a pool says of itself in numbers, to whoever watches it.

use crate::volume::{Bytes, Content, Limits, Name, VolumeId};

/// The figures of a pool at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolFigures {
    /// What kind of pool it is, in one word.
    pub kind: &'static str,
    /// What a size promises in it: `thick` or `thin`.
    pub provisioning: &'static str,
    /// Its size.
    pub capacity: Bytes,
    /// What it may promise in all: less than its size by what it keeps back, or more where it is thin.
    pub promisable: Bytes,
    /// What its volumes and snapshots may grow to.
    pub promised: Bytes,
    /// What can still be promised.
    pub available: Bytes,
    /// What is taken of it, by whomever.
    pub used: Bytes,
    /// What can still be written to it.
    pub free: Bytes,
    /// Whether others may fill the same file system, so that no more than what is free can be promised.
    pub shared: bool,
    /// Whether so little is free that nothing new is promised.
    pub low: bool,
    /// How many volumes it has, whether their records can be read or not.
    pub volumes: usize,
    /// How many snapshots, likewise.
    pub snapshots: usize,
    /// How many of both have records that cannot be read.
    pub damaged: usize,
    /// How many volumes are paused, because the pool has no room.
    pub paused: usize,
    /// Some of the volumes one by one, sorted by id.
    pub each: Vec<VolumeFigures>,
}

/// The figures of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeFigures {
    /// Its id.
    pub id: VolumeId,
    /// Its CSI name.
    pub name: Name,
    /// What it holds.
    pub content: Content,
    /// What its user sees.
    pub size: Bytes,
    /// What its image takes of the pool, shared with copies or not; nothing where that cannot be told.
    pub used: Option<Bytes>,
    /// How fast it may be read and written.
    pub limits: Limits,
}
