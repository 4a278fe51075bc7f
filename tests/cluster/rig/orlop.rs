//! Orlop in the API, as an admin installs it, and who its two processes are.

use std::path::{Path, PathBuf};

use orlop::cluster::objects::{Home, Pool};
use serde_json::json;

use super::{Identity, Rig};

/// The namespace that it is installed in.
pub(crate) const NAMESPACE: &str = "orlop";

/// The policies need an object to refuse something for. This one is on no node.
const PROBE: &str = "v-00000000000000000000000000000000";

impl Rig {
    /// Installs the kinds, the rights and the policies of `deploy/cluster`, unless they are there, and returns when
    /// all of them hold.
    pub(crate) async fn with_orlop(&self) {
        self.cluster.orlop.get_or_init(async || self.install_orlop().await).await;
    }

    /// Does the same where some of them were taken away.
    pub(crate) async fn install_orlop(&self) {
        self.kubectl(["apply".as_ref(), "-f".as_ref(), manifests().as_path()]);
        self.kubectl(["wait", "--for=condition=Established", "crd", "--all"]);
        for kind in ["volumes", "snapshots", "groupsnapshots", "pools"] {
            let path = list(kind);
            let served = async || self.api.get(&path).await.ok();
            self.until("the kinds are served", served).await;
        }
        self.until_the_policies_hold().await;
    }

    /// Returns who the controller is. Each call is a pod of its own.
    pub(crate) async fn orlop_controller(&self, pod: &str) -> Identity {
        self.pod_in(NAMESPACE, "orlop-controller", pod).await
    }

    /// Returns who the pod of Orlop on this node is. A node has one.
    pub(crate) async fn orlop_node(&self, node: &str) -> Identity {
        self.pod_in(NAMESPACE, "orlop-node", node).await
    }

    /// A policy is in force a moment after it is written.
    async fn until_the_policies_hold(&self) {
        let path = list("volumes");
        let spec = json!({
            "name": "probe", "node": "none", "pool": "none", "bytes": 1, "content": "block",
            "blockSize": 4096,
        });
        let probe = json!({
            "apiVersion": "orlop.dev/v1alpha1",
            "kind": "Volume",
            "metadata": { "name": PROBE },
            "spec": spec,
        });
        self.api.post(&path, &probe).await.unwrap();
        let path = format!("{path}/{PROBE}");
        let ready = json!({ "status": { "phase": "Ready" } });
        self.api.patch(&format!("{path}/status"), &ready).await.unwrap();

        let tried = format!("{path}?dryRun=All");
        let kept = async || self.api.delete(&tried).await.err();
        self.until("the policy for deletions holds", kept).await;
        let unbound = self.token(NAMESPACE, "orlop-node", &json!({})).await;
        let unbound = self.api_of(&unbound).await;
        let pool = json!(Pool::at(&Home::new("none", "none")));
        let refused = async || {
            let tried = format!("{}?dryRun=All", list("pools"));
            let said = unbound.post(&tried, &pool).await.err()?.message;
            said.contains("does not say on which node").then_some(())
        };
        self.until("the policy for nodes holds", refused).await;

        let failed = json!({ "status": { "phase": "Failed" } });
        self.api.patch(&format!("{path}/status"), &failed).await.unwrap();
        self.api.delete(&path).await.unwrap();
    }
}

/// Returns where the manifests are.
pub(crate) fn manifests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/cluster")
}

fn list(kind: &str) -> String {
    format!("/apis/orlop.dev/v1alpha1/{kind}")
}
