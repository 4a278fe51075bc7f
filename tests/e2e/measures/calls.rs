//! What the driver itself does of a pod's start: how many calls there were of each method, and how long they took,
//! by the driver's own figures.

use std::collections::BTreeMap;

use crate::rig::{Flow, INSTALLED, chart, kubectl};

const SUM: &str = "orlop_rpc_duration_seconds_sum";
const COUNT: &str = "orlop_rpc_duration_seconds_count";

/// The seconds and the number of the calls of each method, in all pods.
#[derive(Debug, Default)]
pub(super) struct Calls(BTreeMap<String, (f64, f64)>);

// === impl Calls ===

impl Calls {
    /// Asks every pod.
    pub(super) async fn of(flow: &Flow) -> Self {
        let mut all = Self::default();
        for component in ["controller", "node"] {
            for pod in chart::pods(flow, component).await {
                let name = pod["metadata"]["name"].as_str().unwrap();
                let path = format!("/api/v1/namespaces/{INSTALLED}/pods/{name}:9790/proxy/metrics");
                all.add(&kubectl(&["get", "--raw", &path]));
            }
        }
        all
    }

    pub(super) fn since(mut self, before: &Self) -> Self {
        for (method, (seconds, count)) in &before.0 {
            let calls = self.0.get_mut(method).expect("figures only grow");
            calls.0 -= seconds;
            calls.1 -= count;
        }
        self
    }

    pub(super) fn print(&self) {
        println!("\nof that in calls to orlop: how many, and milliseconds of each at the mean");
        for (method, (seconds, count)) in &self.0 {
            if *count > 0.0 {
                println!("{method:<44} {count:>8} {:>8.1}", seconds / count * 1000.0);
            }
        }
    }

    fn add(&mut self, metrics: &str) {
        for line in metrics.lines() {
            let Some((series, value)) = line.rsplit_once(' ') else { continue };
            let Some((name, labels)) = series.split_once('{') else { continue };
            let method = labels.split('"').nth(1).unwrap_or_default();
            let value: f64 = value.parse().unwrap_or_default();
            let calls = || (0.0, 0.0);
            match name {
                SUM => self.0.entry(method.to_owned()).or_insert_with(calls).0 += value,
                COUNT => self.0.entry(method.to_owned()).or_insert_with(calls).1 += value,
                _ => {}
            }
        }
    }
}
