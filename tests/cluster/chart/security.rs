//! What the API server's own pod security says of the pods.

use serde_json::{Value, json};

use super::everything;
use crate::rig::{self, Rig, chart};

const NAMESPACE: &str = "guarded";

/// Makes a namespace that enforces this level, with the accounts that the pods have.
async fn guarded(rig: &Rig, level: &str) {
    let labels = json!({ "pod-security.kubernetes.io/enforce": level });
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE, "labels": labels },
    });
    rig.api.post("/api/v1/namespaces", &namespace).await.unwrap();
    for name in ["orlop-controller", "orlop-node", "default"] {
        let account =
            json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": name } });
        let path = format!("/api/v1/namespaces/{NAMESPACE}/serviceaccounts");
        rig.api.post(&path, &account).await.unwrap();
    }
}

/// Returns what is said against a pod of the workload in that namespace.
async fn said_of(rig: &Rig, workload: &str) -> Option<String> {
    let path = format!("/apis/apps/v1/namespaces/orlop/{workload}");
    let template = rig.api.get(&path).await.unwrap()["spec"]["template"].take();
    said_of_pod(rig, &template["spec"]).await
}

async fn said_of_pod(rig: &Rig, spec: &Value) -> Option<String> {
    let pod: Value = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "pod" }, "spec": spec,
    });
    let path = format!("/api/v1/namespaces/{NAMESPACE}/pods?dryRun=All");
    rig.api.post(&path, &pod).await.err().map(|refused| refused.message)
}

#[test]
fn the_controller_and_the_test_are_restricted_and_nodes_have_to_be_allowed() {
    rig::alone(async |rig| {
        rig.helm_install("orlop", &chart(), &everything(), &[]).unwrap();
        guarded(&rig, "restricted").await;
        assert_eq!(said_of(&rig, "deployments/orlop-controller").await, None);
        let tested: Value = serde_saphyr::from_str(&rig.helm_hooks("orlop")).unwrap();
        assert_eq!(tested["kind"], "Pod");
        assert_eq!(said_of_pod(&rig, &tested["spec"]).await, None);
        let said = said_of(&rig, "daemonsets/orlop-node").await.unwrap();
        assert!(said.contains("violates PodSecurity \"restricted:latest\""), "{said}");
        rig.kubectl([
            "label",
            "--overwrite",
            "namespace",
            NAMESPACE,
            "pod-security.kubernetes.io/enforce=privileged",
        ]);
        // The label is in force a moment after it is written.
        let allowed = async || said_of(&rig, "daemonsets/orlop-node").await.is_none().then_some(());
        rig.until("the namespace allows the pods of nodes", allowed).await;
    });
}
