//! Writes metrics with their values: what prometheus-client needs for each of them, once.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

/// A gauge: its name without the unit, what it is, its unit.
pub(super) struct Metric(&'static str, &'static str, Option<Unit>);

/// Returns a metric in bytes.
pub(super) const fn bytes(name: &'static str, help: &'static str) -> Metric {
    Metric(name, help, Some(Unit::Bytes))
}

/// Returns a metric that counts, or says yes or no.
pub(super) const fn count(name: &'static str, help: &'static str) -> Metric {
    Metric(name, help, None)
}

/// Writes one metric with all its values.
pub(super) fn gauges<L: EncodeLabelSet, N: EncodeGaugeValue>(
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
pub(super) fn infos<L: EncodeLabelSet>(
    to: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    labels: impl IntoIterator<Item = L>,
) -> fmt::Result {
    let mut metric = to.encode_descriptor(name, help, None, MetricType::Info)?;
    labels.into_iter().try_for_each(|labels| metric.encode_info(&labels))
}
