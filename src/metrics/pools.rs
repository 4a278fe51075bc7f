//! The figures of the pools and of their volumes, as metrics.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use crate::backend::{PoolFigures, VolumeFigures};

/// What was gathered for one scrape.
#[derive(Debug)]
pub(super) struct Pools {
    /// Each pool's name, with its figures if it answered.
    pools: Vec<(String, Option<Arc<PoolFigures>>)>,
    /// How many volumes may be shown in all.
    most: usize,
}

/// A metric of pools or volumes: its name without the unit, what it is, its unit.
struct Metric(&'static str, &'static str, Option<Unit>);

/// Where a metric's value stands.
type Value = fn(&PoolFigures) -> u64;

/// What is told of each pool that answered.
const OF_POOLS: [(Metric, Value); 8] = [
    (bytes("pool_capacity", "Size of the pool"), |pool| pool.capacity.0),
    (bytes("pool_promised", "What the volumes and snapshots may grow to"), |pool| pool.promised.0),
    (bytes("pool_available", "What can still be promised"), |pool| pool.available.0),
    (bytes("pool_used", "What is taken of the pool, by whomever"), |pool| pool.used.0),
    (bytes("pool_free", "What can still be written to the pool"), |pool| pool.free.0),
    (count("pool_volumes", "Volumes in the pool"), |pool| pool.volumes as u64),
    (count("pool_snapshots", "Snapshots in the pool"), |pool| pool.snapshots as u64),
    (count("pool_damaged_records", "Records that cannot be read"), |pool| pool.damaged as u64),
];

/// Returns the labels of a volume's figures.
fn labels<'a>(pool: &'a str, one: &'a VolumeFigures) -> [(&'static str, &'a str); 2] {
    [("pool", pool), ("volume", one.id.as_str())]
}

// === impl Pools ===

impl Pools {
    /// Returns what was gathered, of which at most `most` volumes are shown.
    pub(super) fn new(pools: Vec<(&str, Option<Arc<PoolFigures>>)>, most: usize) -> Self {
        let pools = pools.into_iter().map(|(name, figures)| (name.to_owned(), figures)).collect();
        Self { pools, most }
    }

    /// Returns the pools that answered.
    fn answered(&self) -> impl Iterator<Item = (&str, &PoolFigures)> {
        self.pools.iter().filter_map(|(name, figures)| Some((name.as_str(), figures.as_deref()?)))
    }

    /// Returns the volumes that are shown.
    fn volumes(&self) -> impl Iterator<Item = (&str, &VolumeFigures)> {
        let each =
            self.answered().flat_map(|(pool, of)| of.each.iter().map(move |one| (pool, one)));
        each.take(self.most)
    }

    fn encode_pools(&self, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let up = self.pools.iter().map(|(name, figures)| (name, u64::from(figures.is_some())));
        let up = up.map(|(name, up)| ([("pool", name.as_str())], up));
        gauges(to, &count("pool_up", "Whether the pool answered this scrape in time"), up)?;
        let info = self.answered().map(|(name, of)| {
            [("pool", name), ("kind", of.kind), ("provisioning", of.provisioning)]
        });
        infos(to, "pool", "What kind of pool it is", info)?;
        for (metric, value) in &OF_POOLS {
            let values = self.answered().map(|(name, of)| ([("pool", name)], value(of)));
            gauges(to, metric, values)?;
        }
        Ok(())
    }

    fn encode_volumes(&self, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let there: usize = self.answered().map(|(_, of)| of.volumes).sum();
        let omitted = there.saturating_sub(self.volumes().count()) as u64;
        let help = "Volumes without figures of their own, because there are more than may be shown";
        gauges(to, &count("volumes_omitted", help), [([("", ""); 0], omitted)])?;
        let size = self.volumes().map(|(pool, one)| (labels(pool, one), one.size.0));
        gauges(to, &bytes("volume_size", "What the user of the volume sees"), size)?;
        let used = self.volumes().filter_map(|(pool, one)| Some((labels(pool, one), one.used?.0)));
        let help = "What the volume's image takes of the pool, shared with copies or not";
        gauges(to, &bytes("volume_used", help), used)
    }

    fn encode_volume_info(&self, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let contents: Vec<String> =
            self.volumes().map(|(_, one)| one.content.to_string()).collect();
        let info = self.volumes().zip(&contents).map(|((pool, one), content)| {
            let (id, name) = (one.id.as_str(), one.name.as_str());
            [("pool", pool), ("volume", id), ("name", name), ("content", content.as_str())]
        });
        infos(to, "volume", "The CSI name of the volume and what it holds", info)
    }
}

impl Collector for Pools {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.encode_pools(&mut encoder)?;
        self.encode_volumes(&mut encoder)?;
        self.encode_volume_info(&mut encoder)
    }
}

const fn bytes(name: &'static str, help: &'static str) -> Metric {
    Metric(name, help, Some(Unit::Bytes))
}

const fn count(name: &'static str, help: &'static str) -> Metric {
    Metric(name, help, None)
}

/// Writes one metric with all its values.
fn gauges<L: EncodeLabelSet, N: EncodeGaugeValue>(
    to: &mut DescriptorEncoder<'_>,
    Metric(name, help, unit): &Metric,
    values: impl IntoIterator<Item = (L, N)>,
) -> fmt::Result {
    let mut metric = to.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
    for (labels, value) in values {
        metric.encode_family(&labels)?.encode_gauge(&value)?;
    }
    Ok(())
}

/// Writes one metric that has labels instead of a value.
fn infos<L: EncodeLabelSet>(
    to: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    labels: impl IntoIterator<Item = L>,
) -> fmt::Result {
    let mut metric = to.encode_descriptor(name, help, None, MetricType::Info)?;
    labels.into_iter().try_for_each(|labels| metric.encode_info(&labels))
}
