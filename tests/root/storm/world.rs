//! What there must be: the volumes and snapshots of all workers, and what may be in them.

use std::collections::BTreeMap;

use orlop::csi::v1;
use orlop::csi::v1::volume_capability::access_mode::Mode;

use crate::content::Stamp;
use crate::requests::{block, file_system};

/// What a volume holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Xfs,
    Ext4,
    Btrfs,
    Raw,
}

/// A volume, as its owner knows it.
#[derive(Debug, Clone)]
pub(super) struct Volume {
    pub(super) kind: Kind,
    pub(super) pool: &'static str,
    pub(super) size: i64,
    /// What it is being expanded to.
    pub(super) most: i64,
    /// What was asked for at first.
    pub(super) asked: Option<i64>,
    /// The id of what it was copied from.
    pub(super) source: Option<String>,
    pub(super) staged: bool,
    pub(super) published: bool,
    /// The snapshot that has the same content for certain, as long as nothing is written.
    pub(super) same_as: Option<(String, u64)>,
    /// Its contents, the oldest first. From `settled` on, each of them may be the present one.
    pub(super) history: Vec<Stamp>,
    pub(super) settled: usize,
    /// How many others are making a copy of it.
    pub(super) guests: usize,
    /// Whether its owner is just deleting it.
    pub(super) going: bool,
}

/// A snapshot.
#[derive(Debug, Clone)]
pub(super) struct Cut {
    /// Of several snapshots of one name, which.
    pub(super) birth: u64,
    /// The id of its source.
    pub(super) source: String,
    pub(super) kind: Kind,
    pub(super) pool: &'static str,
    pub(super) size: i64,
    /// What may be in it: whatever its source held while it was cut.
    pub(super) allowed: Vec<Stamp>,
    pub(super) guests: usize,
    pub(super) going: bool,
}

/// Everything, by names.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) volumes: BTreeMap<String, Volume>,
    pub(super) cuts: BTreeMap<String, Cut>,
    last: u64,
}

// === impl Kind ===

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Xfs, Self::Ext4, Self::Btrfs, Self::Raw];

    pub(super) fn capability(self) -> v1::VolumeCapability {
        match self {
            Self::Xfs => file_system("xfs", Mode::SingleNodeWriter),
            Self::Ext4 => file_system("ext4", Mode::SingleNodeWriter),
            Self::Btrfs => file_system("btrfs", Mode::SingleNodeWriter),
            Self::Raw => block(),
        }
    }
}

// === impl Volume ===

impl Volume {
    /// Returns a new volume that may hold each of the contents.
    pub(super) fn new(kind: Kind, pool: &'static str, size: i64, allowed: Vec<Stamp>) -> Self {
        Self {
            kind,
            pool,
            size,
            most: size,
            asked: None,
            source: None,
            staged: false,
            published: false,
            same_as: None,
            history: allowed,
            settled: 0,
            guests: 0,
            going: false,
        }
    }

    /// Returns what may be in it now.
    pub(super) fn allowed(&self) -> &[Stamp] {
        self.since(self.settled)
    }

    /// Returns what may have been in it since the moment.
    pub(super) fn since(&self, moment: usize) -> &[Stamp] {
        &self.history[moment..]
    }

    /// Returns the present moment.
    pub(super) fn moment(&self) -> usize {
        self.settled
    }

    /// Somebody writes the content: from now on it may be there.
    pub(super) fn begin(&mut self, stamp: Stamp) {
        self.same_as = None;
        self.history.push(stamp);
    }

    /// The content was seen in it, or is written: nothing else can be there.
    pub(super) fn settle(&mut self, stamp: Stamp) {
        if self.history.last() != Some(&stamp) {
            self.history.push(stamp);
        }
        self.settled = self.history.len() - 1;
    }
}

// === impl World ===

impl World {
    /// Returns a number that was never returned before.
    pub(super) fn fresh(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// The content was read from the volume. Whatever was made of the same snapshot has the same.
    pub(super) fn seen(&mut self, name: &str, stamp: Stamp) {
        let volume = self.volumes.get_mut(name).unwrap();
        let allowed = volume.allowed();
        assert!(allowed.contains(&stamp), "{name} holds {stamp}, and may hold {allowed:?}");
        volume.settle(stamp);
        let Some((cut, birth)) = &volume.same_as else { return };
        if let Some(cut) = self.cuts.get_mut(cut).filter(|cut| cut.birth == *birth) {
            let allowed = &cut.allowed;
            assert!(allowed.contains(&stamp), "{name} holds {stamp}, its source {allowed:?}");
            cut.allowed = vec![stamp];
        }
    }
}
