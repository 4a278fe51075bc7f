//! The texts that are served: the figures of this moment, and the state of the driver.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use prometheus_client::encoding::text;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::gather::{self, Asked};
use super::pools::Pools;
use crate::backend::{self, Orphans};
use crate::rpc::Calls;

/// What every name begins with.
const PREFIX: &str = "orlop";

/// How far the driver has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It opens its pools.
    Starting,
    /// It answers calls.
    Ready,
    /// It finishes what began.
    Stopping,
}

/// What there is to be told.
#[derive(Debug)]
pub(super) struct Page {
    calls: Calls,
    most: usize,
    pools: OnceLock<(Vec<Asked>, Orphans)>,
    state: AtomicU8,
}

// === impl Page ===

impl Page {
    /// Returns the page of a driver that has no pools yet.
    pub(super) fn new(calls: Calls, most: usize) -> Self {
        let state = AtomicU8::new(State::Starting as u8);
        Self { calls, most, pools: OnceLock::new(), state }
    }

    /// Adds the pools, once.
    pub(super) fn open(&self, pools: &backend::Registry, orphans: Orphans) {
        self.pools.get_or_init(|| (gather::unasked(pools), orphans));
    }

    /// Notes how far the driver has come.
    pub(super) fn set(&self, state: State) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    /// Returns how far the driver has come.
    pub(super) fn state(&self) -> State {
        match self.state.load(Ordering::Relaxed) {
            state if state == State::Starting as u8 => State::Starting,
            state if state == State::Ready as u8 => State::Ready,
            _ => State::Stopping,
        }
    }

    /// Returns the figures of this moment as OpenMetrics text.
    pub(super) async fn text(&self) -> Result<String, std::fmt::Error> {
        let open = self.pools.get();
        let pools = open.map(|(pools, _)| pools.as_slice()).unwrap_or_default();
        let orphans = open.map(|(_, orphans)| orphans.counts()).unwrap_or_default();
        let pools = Pools::new(gather::gather(pools, self.most).await, orphans, self.most);
        let mut registry = Registry::with_prefix(PREFIX);
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program", build);
        self.calls.tally().register(&mut registry);
        self.calls.masked().register(&mut registry);
        register_running(&self.calls, &mut registry);
        registry.register_collector(Box::new(pools));
        let mut text = String::new();
        text::encode(&mut text, &registry)?;
        Ok(text)
    }
}

/// Adds the calls that are running.
fn register_running(calls: &Calls, registry: &mut Registry) {
    let running = calls.running();
    let oldest = running.first().map(|call| call.began.elapsed().as_secs_f64());
    let help = "Calls that are running now";
    registry.register("operations_running", help, constant(running.len()));
    let help = "How long the oldest of the running calls has been running; 0 when none is";
    let oldest = constant(oldest.unwrap_or_default());
    registry.register_with_unit("operations_oldest_age", help, Unit::Seconds, oldest);
}

fn constant<N>(value: N) -> prometheus_client::metrics::gauge::ConstGauge<N> {
    prometheus_client::metrics::gauge::ConstGauge::new(value)
}
