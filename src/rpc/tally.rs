//! How many calls ended, how, and how long they took: counted where every call ends.

use std::fmt::Write;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use tonic::Code;

use super::Method;
use super::outcome::code_name;

/// What the durations are sorted into, in seconds: a look takes the first, a mkfs the third, a sidecar waits for
/// ten or more, and what is in the last is stuck.
const BUCKETS: [f64; 9] = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0, 300.0];

/// The calls that ended; clones are the same tally.
#[derive(Debug, Clone)]
pub struct Tally {
    ended: Family<Ended, Counter>,
    took: Family<Took, Histogram, fn() -> Histogram>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    method: Method,
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Took {
    method: Method,
}

// === impl Tally ===

impl Tally {
    /// Has the tally shown with the registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("rpc_calls", "Calls that ended, by gRPC code", self.ended.clone());
        let help = "How long calls took to their answer";
        registry.register_with_unit("rpc_duration", help, Unit::Seconds, self.took.clone());
    }

    /// Counts a call that ended.
    pub(super) fn count(&self, method: Method, code: Code, took: Duration) {
        self.ended.get_or_create(&Ended { method, code: code_name(code) }).inc();
        self.took.get_or_create(&Took { method }).observe(took.as_secs_f64());
    }
}

impl Default for Tally {
    fn default() -> Self {
        let took = Family::new_with_constructor((|| Histogram::new(BUCKETS)) as fn() -> Histogram);
        Self { ended: Family::default(), took }
    }
}

impl EncodeLabelValue for Method {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        write!(encoder, "{self}")
    }
}
