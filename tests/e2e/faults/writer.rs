//! A pod that writes and reads back what it wrote, and ends with an error as soon as one byte or one call is wrong.

use serde_json::{Value, json};

use crate::rig::{Claim, Flow, Node, Pod, kubectl_if_it_can};

/// What it prints after each round of writing and reading.
const ROUND: &str = "a round is done";

/// Starts it on the claim, and returns when it has done a round.
pub(crate) async fn start(flow: &Flow, claim: &str) {
    flow.run(writer(claim)).await;
    another_round(flow, 0).await;
}

/// Starts it on a claim of its own, and returns the node that it is on.
pub(crate) async fn on_new_claim(flow: &Flow) -> Node {
    flow.claim(Claim::new("data", "orlop-fast", "400Mi")).await;
    start(flow, "data").await;
    Node::named(&flow.node("writer").await)
}

/// Asserts that it still writes, lets it end, and asserts that nothing was ever wrong.
pub(crate) async fn is_well(flow: &Flow) {
    let before = flow.until("kubelet has the log", async || rounds(flow)).await;
    another_round(flow, before).await;
    flow.exec("writer", "touch /data/stop");
    let ended = async || {
        let mut pod = flow.get("pods", "writer").await;
        let status = pod["status"]["containerStatuses"][0].take();
        assert_eq!(status["restartCount"], 0, "{status}");
        let state = &status["state"]["terminated"];
        (state != &Value::Null).then(|| state["exitCode"].clone())
    };
    let code = flow.until("the writer ends", ended).await;
    assert_eq!(code, 0, "{}", said(flow));
}

async fn another_round(flow: &Flow, before: usize) {
    let more = async || {
        let pod = flow.get("pods", "writer").await;
        assert_ne!(pod["status"]["phase"], "Failed", "{}", said(flow));
        rounds(flow).filter(|&rounds| rounds > before)
    };
    flow.until("the writer writes and reads", more).await;
}

/// Returns how many rounds it has done. A kubelet that was just started cannot tell.
fn rounds(flow: &Flow) -> Option<usize> {
    let said = kubectl_if_it_can(&["logs", "-n", &flow.namespace, "writer"])?;
    Some(said.lines().filter(|line| *line == ROUND).count())
}

fn said(flow: &Flow) -> String {
    kubectl_if_it_can(&["logs", "-n", &flow.namespace, "writer"]).unwrap_or_default()
}

fn writer(claim: &str) -> Pod {
    let work = format!(
        "until [ -e /data/stop ]; do fio --name=fio --directory=/data --size=64m --rw=randwrite --bs=16k --ioengine=psync \
         --direct=1 --fsync=32 --verify=crc32c --verify_backlog=64 --verify_fatal=1 --rate_iops=400 --time_based \
         --runtime=3 --output=/dev/stderr --output-format=terse || exit 1; echo {ROUND}; done"
    );
    Pod::new("writer")
        .claim(claim, "/data")
        .with("restartPolicy", json!("Never"))
        .runs("docker.io/library/fio:3", &["sh", "-c", &work])
}
