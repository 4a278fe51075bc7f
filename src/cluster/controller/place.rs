//! Which pool takes a new volume, and what pools can still give.

use std::collections::HashMap;
use std::sync::Arc;

use super::Shared;
use super::kind::{Kind, Takes};
use super::promises::{Promise, Spoken};
use super::seen::Seen;
use crate::backend::Capacity;
use crate::backend::placement::{self, Candidate, Wish};
use crate::cluster::objects::{self, Home, Phase};
use crate::error::{Error, Result};
use crate::volume::{Bytes, Content, FsType, Requirement, Topology, VolumeId};

/// What is promised of each pool.
type Sums = HashMap<Home, Bytes>;

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
            let candidates = self.candidates(wish.pool, &self.promised(spoken));
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
        let promised = self.promised_now();
        let mut sum = None;
        self.pools.each(|_, pool| {
            if pool.spec.pool != name || !within.admits(&Topology::of_node(&pool.spec.node)) {
                return;
            }
            let its = self.left(pool, content, &promised);
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
        let others = self.promises.all();
        let mut others =
            others.iter().filter(|one| volume.is_none() || one.volume.as_ref() != volume);
        Some(self.left(&pool, content, &self.promised(&mut others)))
    }

    /// Returns the least size of a volume in the pool.
    pub(super) fn least(&self, home: &Home, content: Content) -> Bytes {
        let pool = self.pools.get(&home.object_name());
        pool.map_or(Bytes::ZERO, |pool| pool.capacity(content, Bytes::ZERO).least)
    }

    fn promised_now(&self) -> Sums {
        self.promised(&mut self.promises.all().iter())
    }

    fn candidates(&self, name: &str, promised: &Sums) -> Vec<Candidate> {
        let mut all = Vec::new();
        self.pools.each(|_, pool| {
            if pool.spec.pool != name {
                return;
            }
            // What a content needs at least is asked when the size is.
            let its = pool.capacity(Content::FileSystem(FsType::Xfs), sum_of(promised, pool));
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

    fn left(&self, pool: &objects::Pool, content: Content, promised: &Sums) -> Capacity {
        let capacity = pool.capacity(content, sum_of(promised, pool));
        if self.is_ready(&pool.spec.node) {
            return capacity;
        }
        Capacity { available: Bytes::ZERO, largest: Bytes::ZERO, ..capacity }
    }

    /// Returns what is promised of each pool: what its objects take, and what is spoken for.
    fn promised(&self, spoken: &mut dyn Iterator<Item = &Promise>) -> Sums {
        let uuids = self.uuids();
        let mut sums = Sums::new();
        for promise in spoken {
            let volume = promise.volume.as_ref();
            // From when its object is known, that counts.
            if volume.is_none_or(|id| self.volumes.get(id.as_str()).is_none()) {
                add(&mut sums, &promise.home, promise.bytes);
            }
        }
        self.add_all(&mut sums, &self.volumes, &uuids);
        self.add_all(&mut sums, &self.snapshots, &uuids);
        self.add_all(&mut sums, &self.groups, &uuids);
        sums
    }

    fn add_all<K: Kind>(
        &self,
        sums: &mut Sums,
        known: &super::Known<Seen<K>>,
        uuids: &HashMap<Home, Arc<str>>,
    ) {
        known.each(|_, seen| {
            // Nothing of what has failed is left, and what is lost was in another pool.
            let other = |uuid: &str| uuids.get(&seen.home).is_some_and(|now| **now != *uuid);
            if seen.phase == Some(Phase::Failed) || seen.pool_uuid.as_deref().is_some_and(other) {
                return;
            }
            let bytes = match &seen.takes {
                Takes::Bytes(bytes) => *bytes,
                Takes::LikeVolumes(ids) => self.sizes(ids),
            };
            add(sums, &seen.home, bytes);
        });
    }

    fn sizes(&self, volumes: &[VolumeId]) -> Bytes {
        let size = |id: &VolumeId| match &self.volumes.get(id.as_str())?.takes {
            Takes::Bytes(bytes) => Some(*bytes),
            Takes::LikeVolumes(_) => None,
        };
        volumes.iter().filter_map(size).fold(Bytes::ZERO, Bytes::plus)
    }

    fn uuids(&self) -> HashMap<Home, Arc<str>> {
        let mut all = HashMap::new();
        self.pools.each(|_, pool| {
            if let Some(uuid) = pool.status.as_ref().and_then(|status| status.uuid.as_deref()) {
                all.insert(pool.home(), uuid.into());
            }
        });
        all
    }
}

fn add(sums: &mut Sums, home: &Home, bytes: Bytes) {
    match sums.get_mut(home) {
        Some(sum) => *sum = sum.plus(bytes),
        None => drop(sums.insert(home.clone(), bytes)),
    }
}

fn sum_of(promised: &Sums, pool: &objects::Pool) -> Bytes {
    promised.get(&pool.home()).copied().unwrap_or_default()
}

/// Several pools give what they have together, but no volume is in two.
fn together(one: Capacity, other: Capacity) -> Capacity {
    Capacity {
        available: one.available.plus(other.available),
        largest: one.largest.max(other.largest),
        least: one.least.min(other.least),
    }
}
