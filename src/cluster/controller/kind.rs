//! The three kinds of wishes: what becomes of each, and what it takes of a pool.

use std::fmt;

use super::Shared;
use super::known::Known;
use super::seen::Seen;
use super::tally::Takes;
use crate::cluster::objects::{Feature, GroupSnapshot, Snapshot, Volume, Wish};
use crate::error::{Error, Noun, Result};
use crate::volume::{self, Bytes, Group};

/// A kind of wish.
pub(super) trait Kind: Wish<Id: fmt::Display + Clone + Ord + Send + Sync> {
    /// What becomes of it.
    type Thing: fmt::Debug + Clone + Send + Sync;

    /// What it is called.
    const NOUN: Noun;

    /// Returns what became of it, or nothing before it is there.
    fn thing(&self) -> Result<Option<Self::Thing>>;

    /// Returns what it takes of its pool.
    fn takes(&self) -> Takes;

    /// Returns where the kind's objects are known.
    fn known(shared: &Shared) -> &Known<Seen<Self>>;

    /// Returns the error of a wish that was taken back because no node has begun with it.
    fn untaken(reason: String) -> Error;

    /// Returns what somebody must be able to do who fulfils it.
    fn features(&self) -> Vec<Feature>;

    /// Returns in what this one, which there is, differs from the wish.
    fn difference(&self, wish: &Self) -> Option<String>;
}

impl Kind for Volume {
    type Thing = volume::Volume;
    const NOUN: Noun = Noun::Volume;

    fn thing(&self) -> Result<Option<volume::Volume>> {
        self.made()
    }

    /// A volume that is to grow takes the new size already, and one that is to shrink again still the old one.
    fn takes(&self) -> Takes {
        let has = self.status.as_ref().and_then(|status| status.bytes).unwrap_or_default();
        Takes::Bytes(self.spec.bytes.max(has))
    }

    fn known(shared: &Shared) -> &Known<Seen<Self>> {
        &shared.volumes
    }

    /// The scheduler tries another node.
    fn untaken(reason: String) -> Error {
        Error::Elsewhere { reason }
    }

    fn features(&self) -> Vec<Feature> {
        self.spec.source.iter().map(|_| Feature::Snapshots).collect()
    }

    fn difference(&self, wish: &Self) -> Option<String> {
        let (has, wants) = (&self.spec, &wish.spec);
        let same = has.name == wants.name
            && has.asked == wants.asked
            && has.content == wants.content
            && has.block_size == wants.block_size
            && has.asked_limits == wants.asked_limits
            && has.source == wants.source;
        (!same).then(|| "not as asked".to_owned())
    }
}

impl Kind for Snapshot {
    type Thing = volume::Snapshot;
    const NOUN: Noun = Noun::Snapshot;

    fn thing(&self) -> Result<Option<volume::Snapshot>> {
        self.made()
    }

    fn takes(&self) -> Takes {
        match self.status.as_ref().and_then(|status| status.bytes) {
            Some(bytes) => Takes::Bytes(bytes),
            None => Takes::LikeVolumes(self.spec.source.parse().into_iter().collect()),
        }
    }

    fn known(shared: &Shared) -> &Known<Seen<Self>> {
        &shared.snapshots
    }

    /// A snapshot can be cut nowhere else.
    fn untaken(reason: String) -> Error {
        Error::unfit(reason)
    }

    fn features(&self) -> Vec<Feature> {
        vec![Feature::Snapshots]
    }

    fn difference(&self, wish: &Self) -> Option<String> {
        let (has, wants) = (&self.spec.source, &wish.spec.source);
        (has != wants).then(|| format!("of volume {has}, not {wants}"))
    }
}

impl Kind for GroupSnapshot {
    type Thing = (Group, Vec<volume::Snapshot>);
    const NOUN: Noun = Noun::GroupSnapshot;

    fn thing(&self) -> Result<Option<Self::Thing>> {
        self.made()
    }

    fn takes(&self) -> Takes {
        let cut = self.status.as_ref().filter(|status| !status.members.is_empty());
        match cut {
            Some(status) => Takes::Bytes(
                status.members.iter().map(|one| one.bytes).fold(Bytes::ZERO, Bytes::plus),
            ),
            None => {
                Takes::LikeVolumes(self.spec.sources.iter().flat_map(|id| id.parse()).collect())
            }
        }
    }

    fn known(shared: &Shared) -> &Known<Seen<Self>> {
        &shared.groups
    }

    fn untaken(reason: String) -> Error {
        Error::unfit(reason)
    }

    fn features(&self) -> Vec<Feature> {
        vec![Feature::GroupSnapshots]
    }

    fn difference(&self, wish: &Self) -> Option<String> {
        let has = &self.spec.sources;
        (*has != wish.spec.sources).then(|| format!("of volumes {}", has.join(", ")))
    }
}
