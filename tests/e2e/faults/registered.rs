//! One container on each node: the driver itself tells kubelet where it is.

use serde_json::json;

use super::{killed, writer};
use crate::rig::{Flow, Pod, chart, flow};

#[test]
fn a_driver_that_registers_itself_is_all_that_a_node_runs() {
    flow("registered", async |flow| {
        chart::install_with(&["--set=registration=builtin"]);
        assert_eq!(containers(flow, "node").await, [1, 1]);
        assert!(containers(flow, "controller").await.iter().all(|&count| count <= 5));

        let node = writer::on_new_claim(flow).await;
        killed::kill_driver(flow, node).await;
        writer::is_well(flow).await;
        flow.delete_pod("writer").await;
        // Kubelet has found the driver again that was killed.
        flow.run(reader("reader").on(node.0)).await;
        assert_eq!(flow.exec("reader", "stat -c %s /data/fio.0.0"), "67108864");
        assert_eq!(flow.exec("reader", "echo a > /scratch/a && cat /scratch/a"), "a");
        flow.delete_pod("reader").await;

        chart::install();
        assert!(containers(flow, "node").await.iter().all(|&count| count > 1));
        flow.run(reader("again").on(node.0)).await;
        assert_eq!(flow.exec("again", "stat -c %s /data/fio.0.0"), "67108864");
    });
}

/// A pod with the claim and an inline volume.
fn reader(name: &str) -> Pod {
    let attributes = json!({ "sizeLimit": "16Mi" });
    let scratch =
        json!({ "csi": { "driver": "scratch.csi.orlop.dev", "volumeAttributes": attributes } });
    Pod::new(name).claim("data", "/data").volume("scratch", scratch, "/scratch")
}

/// Returns how many containers each pod has.
async fn containers(flow: &Flow, component: &str) -> Vec<usize> {
    let pods = chart::pods(flow, component).await;
    let stay = pods.iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
    stay.map(|pod| pod["spec"]["containers"].as_array().unwrap().len()).collect()
}
