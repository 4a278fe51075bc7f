//! Who may do what: the roles and the policies of `deploy/cluster` hold.

mod controller;
mod deletion;
mod node;
mod rules;
mod things;

use serde_json::json;

use crate::rig::{self, Identity};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

#[test]
fn a_token_without_rights_is_refused() {
    rig::shared(async |rig| {
        rig.node("refused").await;
        rig.service_account("nobody").await;
        let pod = rig.pod_of("nobody", "refused").await;
        let api = rig.api_of(&pod).await;
        let refused = api.get(MAPS).await.unwrap_err();
        let user = "User \"system:serviceaccount:default:nobody\" cannot list resource";
        assert_eq!(refused.code, 403);
        assert!(refused.message.contains(user), "{}", refused.message);
        let kubectl = rig.kubectl_as(&pod, ["auth", "can-i", "create", "pods"]);
        assert_eq!(String::from_utf8(kubectl.stdout).unwrap(), "no\n");
        let stranger = rig.api_of(&Identity::Token("no token".to_owned())).await;
        assert_eq!(stranger.get(MAPS).await.unwrap_err().code, 401);
    });
}

#[test]
fn a_kubelet_writes_its_own_node_alone() {
    rig::shared(async |rig| {
        rig.node("kubelet-a").await;
        rig.node("kubelet-b").await;
        let kubelet = rig.api_of(&Identity::kubelet("kubelet-a")).await;
        let change = json!({ "metadata": { "annotations": { "written": "true" } } });
        kubelet.patch("/api/v1/nodes/kubelet-a", &change).await.unwrap();
        let refused = kubelet.patch("/api/v1/nodes/kubelet-b", &change).await.unwrap_err();
        assert_eq!(refused.code, 403);
    });
}
