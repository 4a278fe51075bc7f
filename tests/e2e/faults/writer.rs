//! A pod that writes and reads back what it wrote, and ends with an error as soon as one byte or one call is wrong.

use serde_json::Value;

use crate::rig::{Flow, Pod};

/// Starts it on the claim, with so many seconds of work that it notices what happens meanwhile.
pub(crate) async fn start(flow: &Flow, claim: &str, seconds: u32) {
    let pod = writer(claim, seconds);
    flow.pod(pod).await;
    let running = async || {
        let pod = flow.get("pods", "writer").await;
        (pod["status"]["phase"] == "Running").then_some(())
    };
    flow.until("the writer runs", running).await;
    // It lays out its file first.
    let writes = async || {
        let files = flow.exec("writer", "ls /data");
        files.contains("fio.0.0").then_some(())
    };
    flow.until("the writer writes", writes).await;
}

/// Waits until it has ended, and asserts that nothing was wrong.
pub(crate) async fn is_well(flow: &Flow) {
    let ended = async || {
        let mut pod = flow.get("pods", "writer").await;
        let status = pod["status"]["containerStatuses"][0].take();
        assert_eq!(status["restartCount"], 0, "{status}");
        let state = &status["state"]["terminated"];
        (state != &Value::Null).then(|| state["exitCode"].clone())
    };
    let code = flow.until("the writer ends", ended).await;
    let said = crate::rig::kubectl(&["logs", "-n", &flow.namespace, "writer", "--tail=20"]);
    assert_eq!(code, 0, "{said}");
}

fn writer(claim: &str, seconds: u32) -> Pod {
    let work = format!(
        "fio --name=fio --directory=/data --size=64m --rw=randwrite --bs=16k --ioengine=psync --direct=1 \
         --fsync=32 --verify=crc32c --verify_backlog=64 --verify_fatal=1 --rate_iops=400 \
         --time_based --runtime={seconds} --loops=1000000"
    );
    let never = serde_json::json!("Never");
    Pod::new("writer")
        .claim(claim, "/data")
        .with("restartPolicy", never)
        .runs("docker.io/library/fio:3", &["sh", "-c", &work])
}
