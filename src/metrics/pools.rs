//! The figures of the pools, as metrics.

use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::gather::Answer;
use super::health;
use super::volumes::{self, Shown};
use super::write::{Metric, bytes, count, gauges, infos};
use crate::backend::PoolFigures;

/// What was gathered for one scrape.
#[derive(Debug)]
pub(super) struct Pools {
    answers: Vec<Answer>,
    /// How many orphans each has that was looked at.
    orphans: BTreeMap<String, usize>,
    /// How many volumes may be shown in all.
    most: usize,
}

/// Where a metric's value stands.
type Value = fn(&PoolFigures) -> u64;

/// What is told of each pool that answered.
const OF_POOLS: [(Metric, Value); 9] = [
    (bytes("pool_capacity", "Size of the pool"), |pool| pool.capacity.0),
    (bytes("pool_promised", "What the volumes and snapshots may grow to"), |pool| pool.promised.0),
    (bytes("pool_available", "What can still be promised"), |pool| pool.available.0),
    (bytes("pool_used", "What is taken of the pool, by whomever"), |pool| pool.used.0),
    (bytes("pool_free", "What can still be written to the pool"), |pool| pool.free.0),
    (count("pool_volumes", "Volumes in the pool"), |pool| pool.volumes as u64),
    (count("pool_snapshots", "Snapshots in the pool"), |pool| pool.snapshots as u64),
    (count("pool_damaged_records", "Records that cannot be read"), |pool| pool.damaged as u64),
    (count("pool_paused_volumes", "Volumes that wait for room"), |pool| pool.paused as u64),
];

// === impl Pools ===

impl Pools {
    /// Returns what was gathered, of which at most `most` volumes are shown.
    pub(super) fn new(answers: Vec<Answer>, orphans: BTreeMap<String, usize>, most: usize) -> Self {
        Self { answers, orphans, most }
    }

    /// Returns the pools that answered.
    fn answered(&self) -> impl Iterator<Item = (&str, &PoolFigures)> {
        self.answers.iter().filter_map(|one| Some((one.pool.as_str(), one.figures.as_deref()?)))
    }

    /// Returns the volumes that are shown.
    fn volumes(&self) -> Vec<Shown<'_>> {
        let each =
            self.answered().flat_map(|(pool, of)| of.each.iter().map(move |one| (pool, one)));
        each.take(self.most).collect()
    }

    fn encode_pools(&self, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let up = self.answers.iter();
        let up = up.map(|one| ([("pool", one.pool.as_str())], u64::from(one.figures.is_some())));
        gauges(to, &count("pool_up", "Whether the pool answered this scrape in time"), up)?;
        let info = self.answered().map(|(name, of)| {
            [("pool", name), ("kind", of.kind), ("provisioning", of.provisioning)]
        });
        infos(to, "pool", "What kind of pool it is", info)?;
        for (metric, value) in &OF_POOLS {
            let values = self.answered().map(|(name, of)| ([("pool", name)], value(of)));
            gauges(to, metric, values)?;
        }
        let of = |pool: &str| self.orphans.get(pool).copied().unwrap_or_default() as u64;
        let orphans = self.answers.iter().map(|one| ([("pool", one.pool.as_str())], of(&one.pool)));
        let help = "Things in the pool without an object in the cluster";
        gauges(to, &count("pool_orphans", help), orphans)
    }

    fn encode_volumes(&self, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let volumes = self.volumes();
        let there: usize = self.answered().map(|(_, of)| of.volumes).sum();
        let omitted = there.saturating_sub(volumes.len()) as u64;
        let help = "Volumes without figures of their own";
        gauges(to, &count("volumes_omitted", help), [([("", ""); 0], omitted)])?;
        volumes::encode(&volumes, to)
    }
}

impl Collector for Pools {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.encode_pools(&mut encoder)?;
        health::encode(&self.answers, self.most, &mut encoder)?;
        self.encode_volumes(&mut encoder)
    }
}
