//! Measurements: what a pod waits for its volume, beside the driver that Kubernetes itself tests with.
//!
//! `make e2e-bench` starts both drivers and prints the tables.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::rig::{Claim, Flow, NODES, Pod, chart, flow};

/// One at a time: so many pods of each driver, in turns.
const ROUNDS: usize = 10;
/// So many at once.
const AT_ONCE: usize = 20;

const CLASSES: [&str; 2] = ["orlop-thin", "hostpath"];

#[test]
#[ignore = "a measurement: make e2e-bench"]
fn a_pod_does_not_wait_longer_for_its_volume_than_with_plain_directories() {
    flow("measure-start", async |flow| {
        let mut alone = BTreeMap::new();
        for round in 0..ROUNDS {
            for class in CLASSES {
                let took = started(flow, class, round * 100, 1).await;
                alone.entry(class).or_insert_with(Vec::new).extend(took);
            }
        }
        let mut together = BTreeMap::new();
        for class in CLASSES {
            together.insert(class, started(flow, class, 10_000, AT_ONCE).await);
        }
        for (title, times) in [("one at a time", alone), ("20 at once", together)] {
            for class in CLASSES {
                let times = &times[class];
                let (least, middle, most) =
                    (percent(times, 0), percent(times, 50), percent(times, 100));
                println!("{title}: {class}: median {middle:?}, from {least:?} to {most:?}");
            }
        }
    });
}

#[test]
#[ignore = "a measurement: make e2e-bench"]
fn twenty_volumes_cost_little_memory() {
    flow("measure-memory", async |flow| {
        start(flow, "orlop-thin", 0, AT_ONCE).await;
        for component in ["controller", "node"] {
            for pod in chart::pods(flow, component).await {
                let node = pod["spec"]["nodeName"].as_str().unwrap();
                let node = NODES.into_iter().find(|one| one.0 == node).unwrap();
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

/// Returns how long each of so many pods waited, and takes them away again.
async fn started(flow: &Flow, class: &str, first: usize, count: usize) -> Vec<Duration> {
    let (names, took) = start(flow, class, first, count).await;
    for name in &names {
        flow.api.delete(&flow.path("pods", name)).await.unwrap();
        flow.api.delete(&flow.path("persistentvolumeclaims", name)).await.unwrap();
    }
    for name in &names {
        flow.gone(&flow.path("persistentvolumeclaims", name)).await;
    }
    took
}

/// Makes claims and pods at once, and waits until all run. Returns their names, and how long each waited.
async fn start(
    flow: &Flow,
    class: &str,
    first: usize,
    count: usize,
) -> (Vec<String>, Vec<Duration>) {
    let names: Vec<_> = (first..first + count).map(|number| format!("{class}-{number}")).collect();
    let mut began = Vec::new();
    for name in &names {
        began.push(Instant::now());
        flow.claim(Claim::new(name, class, "64Mi")).await;
        flow.pod(Pod::new(name).claim(name, "/data").on(NODES[0].0)).await;
    }
    let mut took: Vec<Option<Duration>> = vec![None; count];
    let all = async || {
        let pods = flow.get("pods", "").await;
        for pod in pods["items"].as_array().unwrap() {
            let index = names.iter().position(|name| pod["metadata"]["name"] == **name);
            if let Some(index) = index.filter(|_| runs(pod)) {
                took[index].get_or_insert_with(|| began[index].elapsed());
            }
        }
        took.iter().all(Option::is_some).then_some(())
    };
    flow.until_soon(&format!("{count} pods of {class} run"), all).await;
    (names, took.into_iter().flatten().collect())
}

fn runs(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|is| is["type"] == "Ready" && is["status"] == "True")
}

fn percent(times: &[Duration], share: usize) -> Duration {
    let mut times = times.to_vec();
    times.sort();
    times[(times.len() - 1) * share / 100]
}
