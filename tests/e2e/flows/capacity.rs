//! A pool that is full: the scheduler goes elsewhere, and where it cannot, a person is told why.

use serde_json::Value;

use crate::rig::{Claim, DRIVER, Flow, NODES, Pod, flow};

/// Both use up the small pools, so they are one test.
#[test]
fn pods_go_where_there_is_room_and_a_full_pool_says_what_it_lacks() {
    flow("capacity", async |flow| {
        let size = "600Mi";
        flow.claim(Claim::new("first", "orlop-small", size)).await;
        flow.run(Pod::new("first").claim("first", "/data").on(NODES[0].0)).await;
        // The scheduler knows what the provisioner has published.
        until_full(flow, NODES[0].0).await;

        flow.claim(Claim::new("second", "orlop-small", size)).await;
        flow.run(Pod::new("second").claim("second", "/data")).await;
        assert_eq!(flow.node("second").await, NODES[1].0);
        until_full(flow, NODES[1].0).await;

        flow.claim(Claim::new("third", "orlop-small", size)).await;
        flow.pod(Pod::new("third").claim("third", "/data")).await;
        flow.event_with("third", "FailedScheduling", "did not have enough free storage").await;
        flow.delete_pod("third").await;
        flow.delete_claim("third").await;

        // Who asks without the scheduler is told by the driver.
        flow.claim(Claim::new("fourth", "orlop-small-immediate", size)).await;
        let said = flow.event("fourth", "ProvisioningFailed").await;
        for word in ["ResourceExhausted", "small", "600 MiB", "free"] {
            assert!(said.contains(word), "{word}: {said}");
        }

        // And is served when there is room.
        flow.delete_pod("first").await;
        flow.delete_claim("first").await;
        flow.bound("fourth").await;
    });
}

/// Waits until the small pool of the node is published as one that the claims do not fit in.
async fn until_full(flow: &Flow, node: &str) {
    let full = async || {
        let all = flow.api.get("/apis/storage.k8s.io/v1/csistoragecapacities").await.unwrap();
        let mut all = all["items"].as_array().unwrap().iter();
        all.any(|capacity| {
            capacity["storageClassName"] == "orlop-small"
                && segment(capacity) == Some(node)
                && capacity["capacity"].as_str().is_none_or(|size| bytes(size) < 600 << 20)
        })
        .then_some(())
    };
    flow.until(&format!("{node} is known to be full"), full).await;
}

fn segment(capacity: &Value) -> Option<&str> {
    let key = format!("topology.{DRIVER}/node");
    let labels = &capacity["nodeTopology"]["matchLabels"];
    labels.get(orlop::volume::TOPOLOGY_KEY).or_else(|| labels.get(&key))?.as_str()
}

fn bytes(quantity: &str) -> u64 {
    let digits = quantity.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match &quantity[digits.len()..] {
        "" => 1,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        other => panic!("{quantity}: {other}"),
    };
    digits.parse::<u64>().unwrap() * unit
}
