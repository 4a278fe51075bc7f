//! What else says the same as the chart says the same.

use std::fs;

use serde_json::{Value, json};

use crate::docs::root;
use crate::helm::{Objects, everything, render, text};

/// What `deploy/orlop.yaml` is rendered from.
const MANIFEST: &str = "\
# Orlop without Helm: the chart in deploy/helm/orlop with its usual values, in the namespace orlop. Without snapshots, which need
# definitions that are the cluster's; for these, or other pools than the one for trying out, render your own, for the version that
# your API server has:
#   helm template orlop deploy/helm/orlop --namespace orlop --kube-version 1.37 --skip-tests --set createNamespace=true,snapshots.enabled=true
# This is for all versions from 1.34 on. So kubelet gives the tokens of pods with their attributes, of which a newer API server warns;
# what is rendered for 1.35 and newer has them as secrets.
";

/// The oldest version that is promised: a newer one takes what that one takes.
const OLDEST: &str = "1.34";

fn manifest() -> String {
    let text =
        text(&json!({ "createNamespace": true }), &["--skip-tests", "--kube-version", OLDEST])
            .unwrap();
    format!("{MANIFEST}{text}")
}

/// Returns an object without what tells of its release.
fn bare(object: &Value) -> Value {
    let mut object = object.clone();
    let metadata = object["metadata"].as_object_mut().unwrap();
    metadata.remove("labels");
    metadata.remove("annotations");
    object
}

#[test]
fn the_manifest_is_what_the_chart_renders() {
    let path = root().join("deploy/orlop.yaml");
    let rendered = manifest();
    if std::env::var_os("ORLOP_WRITE").is_some() {
        fs::write(&path, &rendered).unwrap();
    }
    let is_current = fs::read_to_string(&path).unwrap_or_default() == rendered;
    assert!(is_current, "run `ORLOP_WRITE=1 make test-chart`, and look at the difference");
}

#[test]
fn the_manifest_can_be_applied_by_itself() {
    let objects = Objects::parse(&manifest());
    assert_eq!(objects.0[0]["kind"], "Namespace");
    let labels = &objects.0[0]["metadata"]["labels"];
    assert_eq!(labels["pod-security.kubernetes.io/enforce"], "privileged");
    for object in &objects.0 {
        let namespace = &object["metadata"]["namespace"];
        assert!(namespace.is_null() || namespace == "orlop", "{object}");
    }
}

#[test]
fn the_manifest_has_what_each_version_takes_and_is_served_by_each() {
    let text = manifest();
    assert!(!text.contains("serviceAccountTokenInSecrets"), "1.34 does not know it");
    let objects = Objects::parse(&text);
    assert!(objects.config("orlop-node").contains("acceptTokenInContext: true"));
}

#[test]
fn rights_and_policies_are_those_without_helm() {
    let chart = render(&json!({}));
    for (file, count) in [("rights.yaml", 7), ("policies.yaml", 4)] {
        let text = fs::read_to_string(root().join("deploy/cluster").join(file)).unwrap();
        let objects = Objects::parse(&text);
        assert_eq!(objects.0.len(), count, "{file}");
        for object in objects.0.iter().filter(|one| one["kind"] != "Namespace") {
            let kind = object["kind"].as_str().unwrap();
            let name = object["metadata"]["name"].as_str().unwrap();
            assert_eq!(&bare(chart.one(kind, name)), object, "{kind} {name}");
        }
    }
}

#[test]
fn a_policy_is_about_the_account_of_the_release() {
    let objects =
        crate::helm::text(&json!({ "fullnameOverride": "deck" }), &["--namespace", "storage"]);
    let objects = Objects::parse(&objects.unwrap());
    let policy = objects.one("ValidatingAdmissionPolicy", "deck-node");
    let account = "request.userInfo.username == 'system:serviceaccount:storage:deck-node'";
    assert_eq!(policy["spec"]["matchConditions"][0]["expression"], account);
    let bindings = objects.of("ClusterRoleBinding");
    assert_eq!(bindings.len(), 3);
    for subject in bindings.iter().flat_map(|one| one["subjects"].as_array().unwrap()) {
        assert_eq!(subject["namespace"], "storage");
        assert!(
            objects
                .of("ServiceAccount")
                .iter()
                .any(|one| one["metadata"]["name"] == subject["name"])
        );
    }
}

#[test]
fn the_definitions_are_those_that_the_driver_prints_and_stay() {
    let crds: Vec<Value> = orlop::cluster::objects::crds()
        .iter()
        .map(|one| serde_json::to_value(one).unwrap())
        .collect();
    let objects = render(&json!({}));
    let rendered: Vec<Value> =
        objects.of("CustomResourceDefinition").into_iter().map(bare).collect();
    assert_eq!(rendered.len(), crds.len());
    for one in &crds {
        assert!(rendered.contains(one), "{}", one["metadata"]["name"]);
    }
    for one in objects.of("CustomResourceDefinition") {
        assert_eq!(one["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
    }
    let none = render(&json!({ "crds": { "install": false } }));
    assert_eq!(none.names("CustomResourceDefinition"), Vec::<&str>::new());
}

#[test]
fn alerts_and_dashboard_are_those_of_deploy_monitoring() {
    let objects = render(&everything());
    let read =
        |file: &str| fs::read_to_string(root().join("deploy/monitoring").join(file)).unwrap();
    let alerts: Value = serde_saphyr::from_str(&read("alerts.yaml")).unwrap();
    assert_eq!(objects.one("PrometheusRule", "orlop")["spec"], alerts);
    let dashboard: Value = serde_json::from_str(&read("dashboard.json")).unwrap();
    let rendered = &objects.one("ConfigMap", "orlop-dashboard")["data"]["orlop.json"];
    let rendered: Value = serde_json::from_str(rendered.as_str().unwrap()).unwrap();
    assert_eq!(rendered, dashboard);
}
