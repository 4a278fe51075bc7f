//! What lies in a pool, by id alone.

use std::collections::BTreeSet;

use crate::volume::{GroupId, SnapshotId, VolumeId};

/// Everything that is real in a pool, whether its record can be read or not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// The volumes.
    pub volumes: BTreeSet<VolumeId>,
    /// The snapshots that are part of no group.
    pub snapshots: BTreeSet<SnapshotId>,
    /// The group snapshots, each with all its members.
    pub groups: BTreeSet<GroupId>,
}
