//! The sidecars as the chart starts them, with the rights that it gives them.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use orlop::identity::DRIVER_NAME;
use serde_json::{Value, json};

use super::with_snapshots;
use crate::pair::Pair;
use crate::rig::{self, Audit, Identity, Mark, Process, Rig, chart, program};

const NODE: &str = "beside";
const USER: &str = "system:serviceaccount:orlop:orlop-controller";
const CLAIMS: &str = "/api/v1/namespaces/default/persistentvolumeclaims";
const SNAPSHOTS: &str = "/apis/snapshot.storage.k8s.io/v1/namespaces/default/volumesnapshots";
const GROUPS: &str =
    "/apis/groupsnapshot.storage.k8s.io/v1/namespaces/default/volumegroupsnapshots";

/// What is needed only now and then: csi-snapshotter says there what a group has to wait for.
const NOW_AND_THEN: [&str; 1] =
    ["patch volumegroupsnapshotcontents/status groupsnapshot.storage.k8s.io"];

fn values() -> Value {
    let class =
        |name: &str, limit: &str| json!({ "name": name, "parameters": { "readIOPS": limit } });
    json!({
        "volumeAttributesClasses": [class("silver", "2k"), class("gold", "4k")],
        "controller": { "replicas": 2 },
    })
}

#[test]
fn the_sidecars_have_the_rights_that_they_need_and_no_other() {
    rig::alone(async |rig| {
        with_snapshots(&rig);
        rig.helm_install("orlop", &chart(), &values(), &[]).unwrap();
        rig.cluster.with_scheduler();
        rig.cluster.with_controller_manager();
        let _snapshot_controller = rig.snapshot_controller();
        let pool = json!({ "name": "default", "kind": "memory", "size": "50Gi" });
        let _pair = Pair::start(&rig, NODE, pool).await;
        rig.csi_node(NODE, DRIVER_NAME).await;
        let _sidecars = sidecars(&rig).await;
        rig.until_pods_can_be_made().await;

        live_a_life(&rig).await;
        let (used, granted) = (asked(rig.audit(), "allow"), granted(&rig).await);
        // One that is granted can be refused by an API server that has not read the roles yet.
        let lacking = &asked(rig.audit(), "forbid") - &granted;
        assert_eq!(lacking, BTreeSet::new());
        let is_spare = |one: &&String| match one.strip_prefix("list ") {
            // A server of today lists with the watch; one that cannot is asked for both.
            Some(what) => !used.contains(&format!("watch {what}")),
            None => !used.contains(*one),
        };
        let spare = granted.iter().filter(is_spare).map(String::as_str);
        let spare: Vec<&str> = spare.filter(|one| !NOW_AND_THEN.contains(one)).collect();
        assert_eq!(spare, <[&str; 0]>::default());
    });
}

/// Starts each sidecar with the arguments that it has in the chart.
async fn sidecars(rig: &Rig) -> Vec<Process> {
    let deployment = "/apis/apps/v1/namespaces/orlop/deployments/orlop-controller";
    let deployment = rig.api.get(deployment).await.unwrap();
    let socket = rig.room(&format!("controller-of-{NODE}")).join("csi.sock");
    let pod = owned_pod(rig, &deployment).await;
    let identity = rig.orlop_controller("sidecars").await;
    let containers = deployment["spec"]["template"]["spec"]["containers"].as_array().unwrap();
    let all: Vec<Process> = containers
        .iter()
        .filter(|one| one["name"] != "driver")
        .map(|one| start(rig, one, &socket, &identity, &pod))
        .collect();
    assert_eq!(all.len(), 3);
    all
}

fn start(rig: &Rig, container: &Value, socket: &Path, identity: &Identity, pod: &str) -> Process {
    let name = container["name"].as_str().unwrap();
    let mut command = Command::new(program(name));
    let args = container["args"].as_array().unwrap().iter().map(|one| one.as_str().unwrap());
    let args = args.filter(|one| !one.starts_with("--csi-address="));
    command.args(args).arg(format!("--csi-address={}", socket.display()));
    command.arg("--kubeconfig").arg(rig.kubeconfig(identity));
    command.env("NAMESPACE", "orlop").env("POD_NAME", pod);
    rig.spawn(name, command)
}

/// Makes a pod of the Deployment, as its controller would, and returns its name.
async fn owned_pod(rig: &Rig, deployment: &Value) -> String {
    let template = json!({
        "metadata": deployment["spec"]["template"]["metadata"],
        "spec": deployment["spec"]["template"]["spec"],
    });
    let set = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": { "name": "orlop-controller-1", "ownerReferences": [owner(deployment)] },
        "spec": { "replicas": 0, "selector": deployment["spec"]["selector"], "template": template },
    });
    let set = rig.api.post("/apis/apps/v1/namespaces/orlop/replicasets", &set).await.unwrap();
    rig.orlop_controller("owned").await;
    let name = "orlop-controller-owned";
    let owned = json!({ "metadata": { "ownerReferences": [owner(&set)] } });
    rig.api.patch(&format!("/api/v1/namespaces/orlop/pods/{name}"), &owned).await.unwrap();
    name.to_owned()
}

fn owner(of: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": of["kind"], "name": of["metadata"]["name"],
        "uid": of["metadata"]["uid"], "controller": true,
    })
}

/// All that users ask for.
async fn live_a_life(rig: &Rig) {
    rig.apply(USED_CLAIM);
    bound(rig, "first").await;
    let capacity = async || {
        let all = rig.api.get("/apis/storage.k8s.io/v1/namespaces/orlop/csistoragecapacities");
        let all = all.await.unwrap();
        all["items"].as_array()?.iter().find(|one| one["capacity"].is_string()).cloned()
    };
    let capacity = rig.until("the capacity is told", capacity).await;
    assert_eq!(capacity["metadata"]["ownerReferences"][0]["name"], "orlop-controller");

    let claim = format!("{CLAIMS}/first");
    let larger = json!({ "spec": { "resources": { "requests": { "storage": "2Gi" } } } });
    rig.api.patch(&claim, &larger).await.unwrap();
    until_claim(rig, "first", |claim| claim["status"]["allocatedResources"]["storage"] == "2Gi")
        .await;
    let gold = json!({ "spec": { "volumeAttributesClassName": "gold" } });
    rig.api.patch(&claim, &gold).await.unwrap();
    until_claim(rig, "first", |claim| {
        claim["status"]["currentVolumeAttributesClassName"] == "gold"
    })
    .await;

    rig.apply(COPIES);
    until(rig, &format!("{SNAPSHOTS}/cut"), |one| one["status"]["readyToUse"] == true).await;
    until(rig, &format!("{GROUPS}/together"), |one| one["status"]["readyToUse"] == true).await;
    bound(rig, "restored").await;
    bound(rig, "cloned").await;

    rig.kubectl(["delete", "pod", "user", "--force", "--grace-period=0"]);
    for path in [format!("{SNAPSHOTS}/cut"), format!("{GROUPS}/together")] {
        rig.api.delete(&path).await.unwrap();
        gone(rig, &path).await;
    }
    for claim in ["first", "restored", "cloned"] {
        rig.api.delete(&format!("{CLAIMS}/{claim}")).await.unwrap();
    }
    let empty = async || {
        let volumes = rig.api.get("/api/v1/persistentvolumes").await.unwrap();
        let objects = rig.api.get("/apis/orlop.dev/v1alpha1/volumes").await.unwrap();
        let none = |list: &Value| list["items"].as_array().unwrap().is_empty();
        (none(&volumes) && none(&objects)).then_some(())
    };
    rig.until("everything is gone", empty).await;
}

async fn bound(rig: &Rig, claim: &str) {
    until_claim(rig, claim, |claim| claim["status"]["phase"] == "Bound").await;
}

async fn until_claim(rig: &Rig, claim: &str, is_so: impl Fn(&Value) -> bool) {
    until(rig, &format!("{CLAIMS}/{claim}"), is_so).await;
}

async fn until(rig: &Rig, path: &str, is_so: impl Fn(&Value) -> bool) {
    let so = async || is_so(&rig.api.get(path).await.unwrap()).then_some(());
    rig.until(path, so).await;
}

async fn gone(rig: &Rig, path: &str) {
    let gone = async || (rig.api.get(path).await.err()?.code == 404).then_some(());
    rig.until(&format!("{path} is gone"), gone).await;
}

/// Returns what the account has asked for and was allowed, or forbidden, by its rights.
fn asked(audit: &Audit, decision: &str) -> BTreeSet<String> {
    let events = audit.since(Mark::BEGINNING).into_iter().filter(|one| {
        let decided = one.annotations.get("authorization.k8s.io/decision");
        one.user.username == USER && decided.is_some_and(|found| found == decision)
    });
    events
        .filter(|one| !one.object_ref.resource.is_empty())
        .map(|one| {
            let object = &one.object_ref;
            let part = Some(&object.subresource).filter(|part| !part.is_empty());
            let part = part.map(|part| format!("/{part}")).unwrap_or_default();
            rule(&one.verb, &object.api_group, &format!("{}{part}", object.resource))
        })
        .collect()
}

fn rule(verb: &str, group: &str, resource: &str) -> String {
    format!("{verb} {resource} {group}").trim_end().to_owned()
}

/// Returns what the chart allows the sidecars.
async fn granted(rig: &Rig) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for path in ["clusterroles/orlop-sidecars", "namespaces/orlop/roles/orlop-sidecars"] {
        let role =
            rig.api.get(&format!("/apis/rbac.authorization.k8s.io/v1/{path}")).await.unwrap();
        for one in role["rules"].as_array().unwrap() {
            let each =
                |key: &str| -> Vec<String> { serde_json::from_value(one[key].clone()).unwrap() };
            for group in each("apiGroups") {
                for resource in each("resources") {
                    all.extend(each("verbs").iter().map(|verb| rule(verb, &group, &resource)));
                }
            }
        }
    }
    all
}

const USED_CLAIM: &str = "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: first, labels: {group: together}}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: orlop-default
  volumeAttributesClassName: silver
  resources: {requests: {storage: 1Gi}}
---
apiVersion: v1
kind: Pod
metadata: {name: user}
spec:
  containers:
    - {name: c, image: none, volumeMounts: [{name: v, mountPath: /v}]}
  volumes:
    - {name: v, persistentVolumeClaim: {claimName: first}}
";

const COPIES: &str = "
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshot
metadata: {name: cut}
spec:
  source: {persistentVolumeClaimName: first}
---
apiVersion: groupsnapshot.storage.k8s.io/v1
kind: VolumeGroupSnapshot
metadata: {name: together}
spec:
  source: {selector: {matchLabels: {group: together}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: restored}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: orlop-default-immediate
  resources: {requests: {storage: 2Gi}}
  dataSource: {apiGroup: snapshot.storage.k8s.io, kind: VolumeSnapshot, name: cut}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: cloned}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: orlop-default-immediate
  resources: {requests: {storage: 2Gi}}
  dataSource: {kind: PersistentVolumeClaim, name: first}
";
