//! Who may do what: RBAC and admission policies hold.

use serde_json::json;

use crate::rig::{self, Api, Identity, Rig};

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

#[test]
fn a_policy_holds_a_token_to_the_things_of_its_node() {
    rig::shared(async |rig| {
        for node in ["bound-a", "bound-b"] {
            rig.node(node).await;
            let thing = json!({
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": { "name": format!("thing-of-{node}"), "labels": { "things": "" } },
                "data": { "node": node },
            });
            rig.api.post(MAPS, &thing).await.unwrap();
        }
        rig.service_account("bound").await;
        rig.apply(RIGHTS);
        rig.apply(POLICY);

        let pod = rig.pod_of("bound", "bound-a").await;
        let api = rig.api_of(&pod).await;
        until_it_holds(&rig, &api).await;
        let (own, other) = (format!("{MAPS}/thing-of-bound-a"), format!("{MAPS}/thing-of-bound-b"));
        let change = json!({ "data": { "written": "true" } });
        api.patch(&own, &change).await.unwrap();
        for refused in [
            api.patch(&other, &change).await.unwrap_err(),
            api.patch(&own, &json!({ "data": { "node": "bound-b" } })).await.unwrap_err(),
            api.delete(&other).await.unwrap_err(),
        ] {
            assert_eq!(refused.code, 422, "{}", refused.message);
            assert!(refused.message.contains("is not of this node"), "{}", refused.message);
        }
        api.delete(&own).await.unwrap();
        let other = rig.api.get(&other).await.unwrap();
        assert_eq!(other["data"], json!({ "node": "bound-b" }));
    });
}

/// A policy is in force a moment after it is written.
async fn until_it_holds(rig: &Rig, api: &Api) {
    let path = format!("{MAPS}/thing-of-bound-b?dryRun=All");
    let change = json!({ "data": { "written": "true" } });
    let refused = async || api.patch(&path, &change).await.err();
    rig.until("the policy holds", refused).await;
}

const RIGHTS: &str = r#"
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: bound}
rules:
  - {apiGroups: [""], resources: [configmaps], verbs: [patch, delete]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: bound}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: bound}
subjects:
  - {kind: ServiceAccount, namespace: default, name: bound}
"#;

const POLICY: &str = r#"
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: bound}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
      - apiGroups: [""]
        apiVersions: [v1]
        operations: [CREATE, UPDATE, DELETE]
        resources: [configmaps]
  matchConditions:
    - name: bound
      expression: request.userInfo.username == 'system:serviceaccount:default:bound'
  variables:
    - name: node
      expression: request.userInfo.extra['authentication.kubernetes.io/node-name'][0]
  validations:
    - expression: "[object, oldObject].all(o, o == null || o.data.node == variables.node)"
      message: it is not of this node
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: bound}
spec: {policyName: bound, validationActions: [Deny]}
"#;
