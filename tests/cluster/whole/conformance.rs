//! csi-sanity, with the Controller service at the controller and the Node service at a node.

use serde_json::json;

use crate::node::site::Site;
use crate::rig;
use crate::suite::{self, Volumes};

/// How many specs the suite has, besides the one that it holds back itself: as many as pass with `orlop all`.
const SPECS: usize = 102;

fn conforms(volumes: Volumes) {
    rig::alone(async |rig| {
        let pool = json!({ "name": "default", "kind": "memory", "size": "100Gi" });
        let site = Site::with(&rig, "n1", pool).await;
        let settings = json!({ "attach": "on", "maxVolumesPerNode": 2 });
        let (node, socket) = site.start_with(settings.clone()).await;
        let kubeconfig = rig.kubeconfig(&rig.orlop_controller("controller").await);
        let mut all = settings;
        all["cluster"] = json!({ "kubeconfig": kubeconfig });
        let driver = rig.orlop("controller", "controller", all);
        let controller = rig.spawn("controller", driver.command);
        rig.until_it_listens(&driver.socket).await;
        let room = rig.room("suite");
        let report = suite::run(&room, &socket, Some(&driver.socket), volumes);
        assert!(report.failed.is_empty(), "seed {}: {:#?}", report.seed, report.failed);
        assert!(report.skipped.is_empty(), "seed {}: {:#?}", report.seed, report.skipped);
        assert_eq!(report.passed, SPECS, "seed {}", report.seed);
        for kind in ["volumes", "snapshots", "groupsnapshots"] {
            let left = rig.api.get(&format!("/apis/orlop.dev/v1alpha1/{kind}")).await.unwrap();
            assert_eq!(left["items"], json!([]));
        }
        assert!(controller.stop().success(), "{}", controller.said());
        assert!(node.stop().success(), "{}", node.said());
    });
}

#[test]
fn mount() {
    conforms(Volumes::Mount);
}

#[test]
fn block() {
    conforms(Volumes::Block);
}
