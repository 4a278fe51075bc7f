//! Nodes that are in the API alone, and the tokens of pods on them.

use orlop::volume::{TOPOLOGY_KEY, Topology};
use serde_json::{Value, json};

use super::{Identity, Rig};

impl Rig {
    /// Makes a node that is ready and has room for pods.
    pub(crate) async fn node(&self, name: &str) {
        // A label cannot be as long as a name.
        let topology = Topology::of_node(name);
        let label = topology.value();
        let labels = json!({ "kubernetes.io/hostname": label, TOPOLOGY_KEY: label });
        let room = json!({ "cpu": "64", "memory": "256Gi", "pods": "1000" });
        let node = json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": { "name": name, "labels": labels },
            "status": { "capacity": room, "allocatable": room, "conditions": ready(true) },
        });
        self.api.post("/api/v1/nodes", &node).await.unwrap();
        // Every new node has a taint until the controller manager sees that it is ready.
        let path = format!("/api/v1/nodes/{name}");
        self.api.patch(&path, &json!({ "spec": { "taints": null } })).await.unwrap();
    }

    /// Makes the node ready, or not.
    pub(crate) async fn node_is_ready(&self, name: &str, is_ready: bool) {
        let path = format!("/api/v1/nodes/{name}/status");
        let status = json!({ "status": { "conditions": ready(is_ready) } });
        self.api.patch(&path, &status).await.unwrap();
    }

    /// Registers the driver with the node, as kubelet does; the driver calls it the same.
    pub(crate) async fn csi_node(&self, name: &str, driver: &str) {
        let node = self.api.get(&format!("/api/v1/nodes/{name}")).await.unwrap();
        let owner = json!({
            "apiVersion": "v1", "kind": "Node", "name": name, "uid": node["metadata"]["uid"],
        });
        let entry = json!({ "name": driver, "nodeID": name, "topologyKeys": [TOPOLOGY_KEY] });
        let csi_node = json!({
            "apiVersion": "storage.k8s.io/v1",
            "kind": "CSINode",
            "metadata": { "name": name, "ownerReferences": [owner] },
            "spec": { "drivers": [entry] },
        });
        self.api.post("/apis/storage.k8s.io/v1/csinodes", &csi_node).await.unwrap();
    }

    /// Waits until the controller manager has made what every pod needs.
    pub(crate) async fn until_pods_can_be_made(&self) {
        let path = "/api/v1/namespaces/default/serviceaccounts/default";
        let account = async || self.api.get(path).await.ok();
        self.until("the namespace has its service account", account).await;
    }

    /// Makes a service account in the namespace `default`.
    pub(crate) async fn service_account(&self, name: &str) {
        let account = json!({
            "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": name },
        });
        self.api.post("/api/v1/namespaces/default/serviceaccounts", &account).await.unwrap();
    }

    /// Returns who a pod of the service account on the node is: its token says on which node it is.
    pub(crate) async fn pod_of(&self, account: &str, node: &str) -> Identity {
        self.pod_in("default", account, node).await
    }

    /// Returns the same for a service account in this namespace.
    pub(crate) async fn pod_in(&self, namespace: &str, account: &str, node: &str) -> Identity {
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": { "name": format!("{account}-{node}") },
            "spec": {
                "serviceAccountName": account,
                "nodeName": node,
                "containers": [{ "name": "c", "image": "none" }],
            },
        });
        let pods = format!("/api/v1/namespaces/{namespace}/pods");
        let pod = self.api.post(&pods, &pod).await.unwrap();
        let bound = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "name": pod["metadata"]["name"],
            "uid": pod["metadata"]["uid"],
        });
        self.token(namespace, account, &json!({ "boundObjectRef": bound })).await
    }

    /// Returns whoever has a token of the service account that was asked for like this.
    pub(crate) async fn token(&self, namespace: &str, account: &str, spec: &Value) -> Identity {
        let request = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": spec,
        });
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token");
        let answer = self.api.post(&path, &request).await.unwrap();
        Identity::Token(answer["status"]["token"].as_str().unwrap().to_owned())
    }
}

fn ready(is_ready: bool) -> Value {
    let status = if is_ready { "True" } else { "False" };
    json!([{ "type": "Ready", "status": status, "reason": "Test" }])
}
