//! The chart is uninstalled while there are volumes, even its definitions are deleted, and all of it comes back.

use super::writer;
use crate::rig::{Claim, INSTALLED, NODES, Pod, chart, flow, helm, kubectl, kubectl_with};

#[test]
fn volumes_survive_an_uninstall_the_loss_of_all_objects_and_an_adoption() {
    flow("reinstalled", async |flow| {
        flow.claim(Claim::new("data", "orlop-fast", "400Mi")).await;
        flow.claim(Claim::new("idle", "orlop-thin-immediate", "64Mi")).await;
        flow.bound("idle").await;
        writer::start(flow, "data").await;
        let ids = [flow.volume("data").await, flow.volume("idle").await];

        helm(&["uninstall", "orlop", "-n", INSTALLED, "--wait"]);
        // The definitions were kept with all objects; now an admin takes them away, too.
        for id in &ids {
            kubectl(&["get", "volumes.orlop.dev", id]);
        }
        let kinds = ["volumes", "snapshots", "groupsnapshots", "pools"];
        for kind in kinds {
            kubectl(&["delete", "crd", &format!("{kind}.orlop.dev")]);
        }
        chart::install();
        let nodes = async || (chart::pods(flow, "node").await.len() == NODES.len()).then_some(());
        flow.until("each node has its pod", nodes).await;
        let objects = chart::exec_on_each_node(flow, &["orlop", "adopt", "--manifests"]).await;
        kubectl_with(&["create", "-f", "-"], &objects);
        for id in &ids {
            let ready = async || {
                let path = format!("/apis/orlop.dev/v1alpha1/volumes/{id}");
                let volume = flow.api.get(&path).await.unwrap();
                (volume["status"]["phase"] == "Ready").then_some(())
            };
            flow.until("the volume is known again", ready).await;
        }
        writer::is_well(flow).await;
        flow.delete_pod("writer").await;
        flow.run(Pod::new("idle-reader").claim("idle", "/data")).await;
        flow.run(Pod::new("reader").claim("data", "/data")).await;
        assert_eq!(flow.exec("reader", "stat -c %s /data/fio.0.0"), "67108864");
    });
}
