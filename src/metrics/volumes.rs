//! The figures of the volumes one by one, as metrics.

use std::fmt;
use std::num::NonZeroU64;

use prometheus_client::encoding::DescriptorEncoder;

use super::write::{Metric, bytes, count, gauges, infos};
use crate::backend::VolumeFigures;
use crate::volume::Limits;

/// A volume that is shown, with the name of its pool.
pub(super) type Shown<'a> = (&'a str, &'a VolumeFigures);

/// Where a limit stands.
type Limit = fn(&Limits) -> Option<NonZeroU64>;

const IOPS: [(&str, Limit); 2] = [("read", |of| of.read_iops), ("write", |of| of.write_iops)];
const BYTES: [(&str, Limit); 2] = [("read", |of| of.read_bytes), ("write", |of| of.write_bytes)];

/// Writes the metrics of these volumes.
pub(super) fn encode(volumes: &[Shown<'_>], to: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let size = volumes.iter().map(|shown| (labels(*shown), shown.1.size.0));
    gauges(to, &bytes("volume_size", "What the user of the volume sees"), size)?;
    let used = volumes.iter().filter_map(|shown| Some((labels(*shown), shown.1.used?.0)));
    let help = "What the volume's image takes of the pool, shared with copies or not";
    gauges(to, &bytes("volume_used", help), used)?;
    let help = "How many operations the volume may do in a second, where that is limited";
    limits(volumes, &count("volume_limit_iops", help), &IOPS, to)?;
    let help = "How many bytes the volume may move in a second, where that is limited";
    limits(volumes, &count("volume_limit_bytes_per_second", help), &BYTES, to)?;
    info(volumes, to)
}

/// Returns the labels of a volume's figures.
fn labels((pool, of): Shown<'_>) -> [(&'static str, &str); 2] {
    [("pool", pool), ("volume", of.id.as_str())]
}

fn limits(
    volumes: &[Shown<'_>],
    metric: &Metric,
    each: &[(&str, Limit)],
    to: &mut DescriptorEncoder<'_>,
) -> fmt::Result {
    let values = volumes.iter().flat_map(|shown| {
        each.iter().filter_map(|(direction, limit)| {
            let [pool, volume] = labels(*shown);
            let value = limit(&shown.1.limits)?;
            Some(([pool, volume, ("direction", *direction)], value.get()))
        })
    });
    gauges(to, metric, values)
}

fn info(volumes: &[Shown<'_>], to: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let contents: Vec<String> = volumes.iter().map(|(_, of)| of.content.to_string()).collect();
    let info = volumes.iter().zip(&contents).map(|(shown, content)| {
        let [pool, volume] = labels(*shown);
        [pool, volume, ("name", shown.1.name.as_str()), ("content", content.as_str())]
    });
    infos(to, "volume", "The CSI name of the volume and what it holds", info)
}
