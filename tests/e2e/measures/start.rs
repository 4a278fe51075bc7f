//! A pod's way from its claim until it runs, and when each step of it was seen.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::rig::{Claim, Flow, NODES, Pod};

/// Says whether a claim and its pod have come so far.
type Reached = fn(&Value, &Value) -> bool;

/// The steps, in their order.
pub(super) const STEPS: [(&str, Reached); 5] = [
    ("the scheduler has chosen a node", |claim, _| {
        claim["metadata"]["annotations"]["volume.kubernetes.io/selected-node"].is_string()
    }),
    ("the volume is there, the claim is bound", |claim, _| claim["status"]["phase"] == "Bound"),
    ("the pod has its node", |_, pod| pod["spec"]["nodeName"].is_string()),
    ("its volumes are mounted, its network is there", |_, pod| {
        is_true(pod, "PodReadyToStartContainers")
    }),
    ("it runs", |_, pod| is_true(pod, "Ready")),
];

/// A pod that was started.
#[derive(Debug)]
pub(super) struct Start {
    name: String,
    began: Instant,
    /// How long each step took from the beginning.
    pub(super) reached: [Duration; STEPS.len()],
}

/// Makes claims and pods at once, and waits until all run.
pub(super) async fn start(flow: &Flow, class: &str, first: usize, count: usize) -> Vec<Start> {
    let mut starts = Vec::new();
    for number in first..first + count {
        let name = format!("{class}-{number}");
        let began = Instant::now();
        flow.claim(Claim::new(&name, class, "64Mi")).await;
        flow.pod(Pod::new(&name).claim(&name, "/data").on(NODES[0].0)).await;
        starts.push(Start { name, began, reached: <[Duration; STEPS.len()]>::default() });
    }
    let all = async || {
        let claims = flow.get("persistentvolumeclaims", "").await;
        let pods = flow.get("pods", "").await;
        for start in &mut starts {
            start.look(named(&claims, &start.name), named(&pods, &start.name));
        }
        starts.iter().all(Start::runs).then_some(())
    };
    flow.until_soon(&format!("{count} pods of {class} run"), all).await;
    starts
}

/// Takes the pods and their volumes away again, and returns when they are gone.
pub(super) async fn remove(flow: &Flow, starts: &[Start]) {
    for Start { name, .. } in starts {
        flow.api.delete(&flow.path("pods", name)).await.unwrap();
        flow.api.delete(&flow.path("persistentvolumeclaims", name)).await.unwrap();
    }
    for Start { name, .. } in starts {
        flow.gone(&flow.path("persistentvolumeclaims", name)).await;
    }
}

// === impl Start ===

impl Start {
    pub(super) fn took(&self) -> Duration {
        self.reached[STEPS.len() - 1]
    }

    fn runs(&self) -> bool {
        !self.took().is_zero()
    }

    /// Notes what has been reached since the last look.
    fn look(&mut self, claim: &Value, pod: &Value) {
        for ((_, reached), when) in STEPS.iter().zip(&mut self.reached) {
            if when.is_zero() && reached(claim, pod) {
                *when = self.began.elapsed();
            }
        }
    }
}

fn named<'a>(list: &'a Value, name: &str) -> &'a Value {
    let mut items = list["items"].as_array().unwrap().iter();
    items.find(|item| item["metadata"]["name"] == name).unwrap()
}

fn is_true(pod: &Value, condition: &str) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|is| is["type"] == condition && is["status"] == "True")
}
