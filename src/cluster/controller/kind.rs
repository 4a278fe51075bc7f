//! The three kinds of wishes: what becomes of each, and what it takes of a pool.

use std::fmt;

use super::Shared;
use super::known::Known;
use super::seen::Seen;
use super::tally::Takes;
use crate::cluster::objects::{self, Feature, GroupSnapshot, Snapshot, Volume, Wish};
use crate::error::{Error, Noun, Result};
use crate::volume::{self, Bytes, Condition, Group};

/// A kind of wish.
pub(super) trait Kind: Wish<Id: fmt::Display + Clone + Ord + Send + Sync> {
    /// What becomes of it.
    type Thing: fmt::Debug + Clone + Send + Sync;

    /// What it is called.
    const NOUN: Noun;

    /// Returns what became of it, or nothing before it is there.
    fn thing(&self) -> Result<Option<Self::Thing>>;

    /// Returns the UUID of the pool that holds it.
    fn pool_uuid(&self) -> Option<&str>;

    /// Returns what it takes of its pool.
    fn takes(&self) -> Takes;

    /// Returns what is the matter with it.
    fn health(&self) -> Vec<Condition>;

    /// Returns where the kind's objects are known.
    fn known(shared: &Shared) -> &Known<Seen<Self>>;

    /// Returns the error of a wish that was taken back because no node has begun with it.
    fn untaken(reason: String) -> Error;

    /// Returns what somebody must be able to do who fulfils it.
    fn features(&self) -> Vec<Feature>;

    /// Says that the wish cannot be fulfilled by somebody who does not know these.
    fn set_requires(&mut self, features: Vec<String>);

    /// Returns in what this one, which there is, differs from the wish.
    fn difference(&self, wish: &Self) -> Option<String>;
}

impl Kind for Volume {
    type Thing = volume::Volume;
    const NOUN: Noun = Noun::Volume;

    fn thing(&self) -> Result<Option<volume::Volume>> {
        self.made()
    }

    fn pool_uuid(&self) -> Option<&str> {
        self.status.as_ref()?.pool_uuid.as_deref()
    }

    /// A volume that is to grow takes the new size already, and one that is to shrink again still the old one.
    fn takes(&self) -> Takes {
        let has = self.status.as_ref().and_then(|status| status.bytes).unwrap_or_default();
        Takes::Bytes(self.spec.bytes.max(has))
    }

    fn health(&self) -> Vec<Condition> {
        self.status.as_ref().map_or_else(Vec::new, |status| objects::health(&status.conditions))
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

    fn set_requires(&mut self, features: Vec<String>) {
        self.spec.requires = features;
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

    fn pool_uuid(&self) -> Option<&str> {
        self.status.as_ref()?.pool_uuid.as_deref()
    }

    fn takes(&self) -> Takes {
        match self.status.as_ref().and_then(|status| status.bytes) {
            Some(bytes) => Takes::Bytes(bytes),
            None => Takes::LikeVolumes(self.spec.source.parse().into_iter().collect()),
        }
    }

    fn health(&self) -> Vec<Condition> {
        self.status.as_ref().map_or_else(Vec::new, |status| objects::health(&status.conditions))
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

    fn set_requires(&mut self, features: Vec<String>) {
        self.spec.requires = features;
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

    fn pool_uuid(&self) -> Option<&str> {
        self.status.as_ref()?.pool_uuid.as_deref()
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

    fn health(&self) -> Vec<Condition> {
        Vec::new()
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

    fn set_requires(&mut self, features: Vec<String>) {
        self.spec.requires = features;
    }

    fn difference(&self, wish: &Self) -> Option<String> {
        let has = &self.spec.sources;
        (*has != wish.spec.sources).then(|| format!("of volumes {}", has.join(", ")))
    }
}
