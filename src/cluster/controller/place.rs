//! Which pool takes a new volume, and what pools can still give.

use super::Shared;
use super::kind::Kind;
use super::promises::{Promise, Spoken};
use super::seen::Seen;
use super::tally::{Place, Takes};
use crate::backend::Capacity;
use crate::backend::placement::{self, Candidate, Wish};
use crate::cluster::objects::{self, Home};
use crate::error::{Error, Result};
use crate::volume::{Bytes, Content, FsType, Requirement, Topology, VolumeId};

// === impl Shared ===

impl Shared {
    /// Returns the name of the pools that a class means.
    pub(super) fn meant(&self, class: Option<&str>) -> Result<String> {
        let mut names = Vec::new();
        self.pools.each(|_, pool| names.push(pool.spec.pool.clone()));
        names.sort_unstable();
        names.dedup();
        if names.is_empty() {
            let reason = "no node has told of a pool yet: look at the pods of `orlop node`";
            return Err(Error::Elsewhere { reason: reason.to_owned() });
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        placement::meant(&names, class).map(str::to_owned)
    }

    /// Returns the pool for a new volume, and the room in it.
    pub(super) fn choose(&self, wish: &Wish<'_>) -> Result<(Home, Spoken)> {
        let choose = |spoken: &mut dyn Iterator<Item = &Promise>| {
            let candidates = self.candidates(wish.pool, &spoken.collect::<Vec<_>>());
            let chosen = placement::choose(&candidates, wish)?;
            let home = Home::new(&*chosen.node, &*chosen.name);
            Ok((Promise { home: home.clone(), bytes: wish.size, volume: None }, home))
        };
        let (spoken, home) = self.promises.decide(choose)?;
        Ok((home, spoken))
    }

    /// Returns what the pools of that name can still give; nothing where none is within what is asked about.
    pub(super) fn capacity(
        &self,
        name: &str,
        within: &Requirement,
        content: Content,
    ) -> Option<Capacity> {
        let spoken = self.promises.all();
        let spoken: Vec<_> = spoken.iter().collect();
        let mut sum = None;
        self.pools.each(|_, pool| {
            if pool.spec.pool != name || !within.admits(&Topology::of_node(&pool.spec.node)) {
                return;
            }
            let its = self.left(pool, content, &spoken);
            sum = Some(match sum {
                None => its,
                Some(others) => together(others, its),
            });
        });
        sum
    }

    /// Returns what a pool can still give; what is spoken for by this volume is not taken off.
    pub(super) fn room(
        &self,
        home: &Home,
        volume: Option<&VolumeId>,
        content: Content,
    ) -> Option<Capacity> {
        let pool = self.pools.get(&home.object_name())?;
        let spoken = self.promises.all();
        let by_others =
            spoken.iter().filter(|one| volume.is_none() || one.volume.as_ref() != volume);
        Some(self.left(&pool, content, &by_others.collect::<Vec<_>>()))
    }

    /// Returns the least size of a volume in the pool.
    pub(super) fn least(&self, home: &Home, content: Content) -> Bytes {
        let pool = self.pools.get(&home.object_name());
        pool.map_or(Bytes::ZERO, |pool| pool.capacity(content, Bytes::ZERO).least)
    }

    fn candidates(&self, name: &str, spoken: &[&Promise]) -> Vec<Candidate> {
        let mut all = Vec::new();
        self.pools.each(|_, pool| {
            if pool.spec.pool != name {
                return;
            }
            // What a content needs at least is asked when the size is.
            let its = pool.capacity(Content::FileSystem(FsType::Xfs), self.promised(pool, spoken));
            all.push(Candidate {
                name: pool.spec.pool.as_str().into(),
                node: pool.spec.node.as_str().into(),
                ready: self.is_ready(&pool.spec.node),
                cordoned: pool.spec.cordoned,
                largest: its.largest,
                available: its.available,
            });
        });
        all
    }

    fn left(&self, pool: &objects::Pool, content: Content, spoken: &[&Promise]) -> Capacity {
        let capacity = pool.capacity(content, self.promised(pool, spoken));
        if self.is_ready(&pool.spec.node) {
            return capacity;
        }
        Capacity { available: Bytes::ZERO, largest: Bytes::ZERO, ..capacity }
    }

    /// Returns what is promised of the pool: what its objects take, and what is spoken for.
    fn promised(&self, pool: &objects::Pool, spoken: &[&Promise]) -> Bytes {
        let home = pool.home();
        let is_open = |one: &&&Promise| {
            // From when its object is known, that counts.
            let is_known = |id: &VolumeId| self.volumes.get(id.as_str()).is_some();
            one.home == home && !one.volume.as_ref().is_some_and(is_known)
        };
        let spoken = spoken.iter().filter(is_open).map(|one| one.bytes);
        let spoken = spoken.fold(Bytes::ZERO, Bytes::plus);
        let uuid = pool.status.as_ref().and_then(|status| status.uuid.as_deref()).map(Into::into);
        // What was in another pool in the same place is lost, and takes nothing of this one.
        let made = Place { home, uuid };
        let not_made = Place { uuid: None, ..made.clone() };
        let places = if made == not_made { vec![made] } else { vec![made, not_made] };
        places.iter().map(|place| self.taken(place)).fold(spoken, Bytes::plus)
    }

    fn taken(&self, place: &Place) -> Bytes {
        let volumes = self.volumes.taken(place, |one| self.size(one));
        let snapshots = self.snapshots.taken(place, |one| self.size(one));
        volumes.plus(snapshots).plus(self.groups.taken(place, |one| self.size(one)))
    }

    fn size<K: Kind>(&self, one: &Seen<K>) -> Bytes {
        match one.takes() {
            Takes::Nothing => Bytes::ZERO,
            Takes::Bytes(bytes) => *bytes,
            Takes::LikeVolumes(ids) => self.sizes(ids),
        }
    }

    fn sizes(&self, volumes: &[VolumeId]) -> Bytes {
        let size = |id: &VolumeId| match self.volumes.get(id.as_str())?.takes() {
            Takes::Bytes(bytes) => Some(*bytes),
            Takes::Nothing | Takes::LikeVolumes(_) => None,
        };
        volumes.iter().filter_map(size).fold(Bytes::ZERO, Bytes::plus)
    }
}

/// Several pools give what they have together, but no volume is in two.
fn together(one: Capacity, other: Capacity) -> Capacity {
    Capacity {
        available: one.available.plus(other.available),
        largest: one.largest.max(other.largest),
        least: one.least.min(other.least),
    }
}
