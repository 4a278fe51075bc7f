//! Measurements: what a pod waits for its volume, beside the driver that Kubernetes itself tests with, and what the
//! driver takes of the memory.
//!
//! `make e2e-bench` starts both drivers and prints the tables.

mod calls;
mod start;

use std::time::Duration;

use crate::rig::{Flow, Node, chart, flow};

use calls::Calls;
use start::{STEPS, Start, remove, start};

/// One at a time: so many pods of each driver, in turns.
const ROUNDS: usize = 10;
/// So many at once, and how often.
const AT_ONCE: usize = 20;
const ROUNDS_AT_ONCE: usize = 4;

/// What it may be slower by.
const ALLOWED: Duration = Duration::from_millis(100);

const ORLOP: &str = "orlop-thin";
const BESIDE: &str = "hostpath";

/// What a measure has of each driver.
struct Both {
    orlop: Vec<Start>,
    beside: Vec<Start>,
}

#[test]
#[ignore = "a measurement: make e2e-bench"]
fn a_pod_does_not_wait_longer_for_its_volume_than_with_plain_directories() {
    flow("measure-start", async |flow| {
        let before = Calls::of(flow).await;
        let alone = Both::measure(flow, ROUNDS, 1).await;
        let calls = Calls::of(flow).await.since(&before);
        let together = Both::measure(flow, ROUNDS_AT_ONCE, AT_ONCE).await;
        alone.print("one at a time");
        calls.print();
        together.print("20 at once");
        alone.assert("one at a time");
        together.assert("20 at once");
    });
}

#[test]
#[ignore = "a measurement: make e2e-bench"]
fn twenty_volumes_cost_little_memory() {
    flow("measure-memory", async |flow| {
        start(flow, ORLOP, 0, AT_ONCE).await;
        for component in ["controller", "node"] {
            for pod in chart::pods(flow, component).await {
                let node = pod["spec"]["nodeName"].as_str().unwrap();
                let node = Node::named(node);
                let find = format!("pgrep -f '^orlop {component}'");
                let status = node.run(&format!("grep -E 'VmRSS|RssAnon' /proc/$({find})/status"));
                println!("{component} on {}: {}", node.0, status.replace(['\t', '\n'], " "));
                let resident: u64 = status
                    .lines()
                    .find_map(|line| line.strip_prefix("VmRSS:"))
                    .and_then(|rest| rest.trim().trim_end_matches(" kB").trim().parse().ok())
                    .unwrap();
                assert!(resident <= 16 << 10, "{component} on {}: {resident} KiB", node.0);
            }
        }
    });
}

// === impl Both ===

impl Both {
    /// Starts so many pods at once with each driver, in turns; whoever is first is second in the next round.
    async fn measure(flow: &Flow, rounds: usize, count: usize) -> Self {
        let (mut orlop, mut beside) = (Vec::new(), Vec::new());
        for round in 0..rounds {
            let mut turns = [(ORLOP, &mut orlop), (BESIDE, &mut beside)];
            if round % 2 == 1 {
                turns.reverse();
            }
            for (class, all) in turns {
                let starts = start(flow, class, round * 1000 + count, count).await;
                remove(flow, &starts).await;
                all.extend(starts);
            }
        }
        Self { orlop, beside }
    }

    /// Prints when each step was reached, at the median.
    fn print(&self, title: &str) {
        println!("\n{title}: seconds from the claim to each step, at the median of each");
        println!("{:<44} {:>8} {:>8}", "", "orlop", BESIDE);
        for (index, (name, _)) in STEPS.iter().enumerate() {
            let [orlop, beside] = self.medians(|start| start.reached[index]);
            println!("{name:<44} {orlop:>8.3} {beside:>8.3}");
        }
    }

    fn assert(&self, title: &str) {
        let [orlop, beside] = self.medians(Start::took);
        let most = beside + ALLOWED.as_secs_f64();
        assert!(orlop <= most, "{title}: {orlop:.3} s, and {most:.3} s at most");
    }

    fn medians(&self, of: impl Fn(&Start) -> Duration) -> [f64; 2] {
        [&self.orlop, &self.beside].map(|starts| {
            let mut all: Vec<_> = starts.iter().map(|start| of(start).as_secs_f64()).collect();
            all.sort_by(f64::total_cmp);
            all[all.len() / 2].midpoint(all[(all.len() - 1) / 2])
        })
    }
}
