//! What is the matter with pools and volumes, as metrics: one for each status and reason, for as long as it is so.

use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;

use super::gather::{Answer, PoolHealth};
use super::write::{count, gauges};
use crate::volume::{Severity, StorageSeverity, Unwell};

/// Writes what is the matter with the pools, and with at most `most` volumes.
pub(super) fn encode(pools: &[Answer], most: usize, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let asked = || pools.iter().filter_map(|one| Some((one.pool.as_str(), one.health.as_deref()?)));
    let unwell = asked().map(|(pool, of)| ([("pool", pool)], of.unwell.len() as u64));
    let help = "Volumes with which something is the matter";
    gauges(to, &count("pool_volumes_unwell", help), unwell)?;
    let of_pools = asked().flat_map(|(pool, of)| of_pool(pool, of));
    gauges(to, &count("pool_health", "What is the matter with the pool"), of_pools)?;
    let of_volumes = asked().flat_map(|(pool, of)| of.unwell.iter().map(move |one| (pool, one)));
    let of_volumes = of_volumes.take(most).flat_map(|(pool, one)| of_volume(pool, one));
    gauges(to, &count("volume_health", "What is the matter with the volume"), of_volumes)
}

fn of_pool(
    pool: &str,
    of: &PoolHealth,
) -> impl Iterator<Item = ([(&'static str, String); 3], u64)> {
    of.of_pool.iter().map(move |condition| {
        let status = match condition.severity {
            StorageSeverity::Degraded => "STORAGE_DEGRADED",
            StorageSeverity::Unreachable => "STORAGE_UNREACHABLE",
        };
        let reason = condition.reason.to_string();
        ([("pool", pool.to_owned()), ("status", status.to_owned()), ("reason", reason)], 1)
    })
}

fn of_volume(pool: &str, one: &Unwell) -> impl Iterator<Item = ([(&'static str, String); 4], u64)> {
    one.conditions.iter().map(move |condition| {
        let status = match condition.severity {
            Severity::Degraded => "DEGRADED",
            Severity::Inaccessible => "INACCESSIBLE",
            Severity::DataLoss => "DATA_LOSS",
        };
        let labels = [
            ("pool", pool.to_owned()),
            ("volume", one.id.to_string()),
            ("status", status.to_owned()),
            ("reason", condition.reason.to_string()),
        ];
        (labels, 1)
    })
}
