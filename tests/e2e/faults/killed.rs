//! Programs that are killed while they work, and started again by what looks after them.

use super::writer;
use crate::rig::{Claim, Flow, Node, Pod, chart, flow};

#[test]
fn a_pod_writes_on_while_the_driver_on_its_node_is_killed() {
    flow("killed-driver", async |flow| {
        let node = writer::on_new_claim(flow).await;
        for _ in 0..3 {
            kill_driver(flow, node).await;
        }
        writer::is_well(flow).await;
        used_by_another(flow).await;
    });
}

#[test]
fn a_pod_writes_on_while_kubelet_is_killed() {
    flow("killed-kubelet", async |flow| {
        let node = writer::on_new_claim(flow).await;
        node.kill("kubelet");
        writer::is_well(flow).await;
        used_by_another(flow).await;
    });
}

#[test]
fn a_pod_writes_on_while_containerd_is_killed() {
    flow("killed-containerd", async |flow| {
        let node = writer::on_new_claim(flow).await;
        node.kill("containerd");
        writer::is_well(flow).await;
        used_by_another(flow).await;
    });
}

#[test]
fn twenty_claims_get_one_volume_each_while_the_controller_is_killed() {
    flow("killed-controller", async |flow| {
        for number in 0..20 {
            let name = format!("data-{number}");
            flow.claim(Claim::new(&name, "orlop-thin-immediate", "64Mi")).await;
            if number % 5 == 2 {
                kill_controller(flow).await;
            }
        }
        let mut names = Vec::new();
        let mut ids = Vec::new();
        for number in 0..20 {
            let volume = flow.bound(&format!("data-{number}")).await;
            names.push(volume["metadata"]["name"].clone());
            ids.push(volume["spec"]["csi"]["volumeHandle"].clone());
        }
        let all = flow.api.get("/apis/orlop.dev/v1alpha1/volumes").await.unwrap();
        let all = all["items"].as_array().unwrap();
        let mine = all.iter().filter(|volume| names.contains(&volume["spec"]["name"]));
        let mine: Vec<_> = mine.map(|volume| &volume["metadata"]["name"]).collect();
        assert_eq!(mine.len(), ids.len(), "each claim has one volume, and no other was made");
        assert!(mine.iter().all(|id| ids.contains(id)), "{mine:?}, {ids:?}");
    });
}

/// Kills the driver on the node, and returns when it serves again.
pub(super) async fn kill_driver(flow: &Flow, node: Node) {
    let before = restarts(flow, node).await;
    node.kill_driver();
    let again = async || (restarts(flow, node).await > before).then_some(());
    flow.until("the driver is started again", again).await;
    flow.until("it serves", async || serves(flow, node).await.then_some(())).await;
}

/// What was written can be mounted anew, and is there.
async fn used_by_another(flow: &Flow) {
    flow.delete_pod("writer").await;
    flow.run(Pod::new("reader").claim("data", "/data")).await;
    assert_eq!(flow.exec("reader", "stat -c %s /data/fio.0.0"), "67108864");
}

/// Kills the controller's driver, wherever it runs.
async fn kill_controller(flow: &Flow) {
    for pod in chart::pods(flow, "controller").await {
        let Some(node) = pod["spec"]["nodeName"].as_str() else { continue };
        // The node's own driver has the same name.
        Node::named(node).run("pkill -KILL -f '^orlop controller' || true");
    }
}

async fn restarts(flow: &Flow, node: Node) -> u64 {
    status(flow, node).await["restartCount"].as_u64().unwrap()
}

async fn serves(flow: &Flow, node: Node) -> bool {
    status(flow, node).await["ready"] == true
}

async fn status(flow: &Flow, node: Node) -> serde_json::Value {
    let pods = chart::pods(flow, "node").await;
    let pod = pods.iter().find(|pod| pod["spec"]["nodeName"] == node.0).unwrap();
    let statuses = pod["status"]["containerStatuses"].as_array().unwrap();
    statuses.iter().find(|status| status["name"] == "driver").unwrap().clone()
}
