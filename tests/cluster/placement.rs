//! Where a volume goes: real claims and pods, the scheduler and the sidecars, a controller and several nodes.
//!
//! The nodes have no kubelet: a pod that has a node is as far as it gets, and its volumes are where they are for good.

mod capacity;
mod copies;
mod fleet;
mod gone;
mod immediate;
mod room;

use crate::rig;

const POD: &str = "
apiVersion: v1
kind: Pod
metadata: {name: scheduled}
spec:
  nodeSelector: {kubernetes.io/hostname: scheduled}
  containers: [{name: c, image: none}]
";

#[test]
fn the_scheduler_binds_a_pod_to_a_node() {
    rig::shared(async |rig| {
        rig.cluster.with_scheduler();
        rig.cluster.with_controller_manager();
        rig.node("scheduled").await;
        rig.until_pods_can_be_made().await;
        rig.apply(POD);
        let node = async || {
            let pod = rig.api.get("/api/v1/namespaces/default/pods/scheduled").await.unwrap();
            pod["spec"]["nodeName"].as_str().map(str::to_owned)
        };
        assert_eq!(rig.until("the pod has a node", node).await, "scheduled");
    });
}
