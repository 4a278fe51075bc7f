//! Snapshots of one claim, and of several at one instant.

use serde_json::{Value, json};

use super::Flow;

pub(crate) const SNAPSHOTS: &str = "snapshot.storage.k8s.io/volumesnapshots";
pub(crate) const GROUPS: &str = "groupsnapshot.storage.k8s.io/volumegroupsnapshots";

/// Makes a snapshot of a claim, and returns it when it is ready.
pub(crate) async fn cut(flow: &Flow, name: &str, claim: &str) -> Value {
    let object = json!({
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "metadata": { "name": name },
        "spec": {
            "volumeSnapshotClassName": "orlop",
            "source": { "persistentVolumeClaimName": claim },
        },
    });
    flow.make(SNAPSHOTS, &object).await;
    ready(flow, SNAPSHOTS, name).await
}

/// Makes a snapshot of all claims with this label, and returns it when it is ready.
pub(crate) async fn group(flow: &Flow, name: &str, label: &str) -> Value {
    let object = json!({
        "apiVersion": "groupsnapshot.storage.k8s.io/v1",
        "kind": "VolumeGroupSnapshot",
        "metadata": { "name": name },
        "spec": {
            "volumeGroupSnapshotClassName": "orlop",
            "source": { "selector": { "matchLabels": { "group": label } } },
        },
    });
    flow.make(GROUPS, &object).await;
    ready(flow, GROUPS, name).await
}

async fn ready(flow: &Flow, kind: &str, name: &str) -> Value {
    let ready = async || {
        let snapshot = flow.get(kind, name).await;
        (snapshot["status"]["readyToUse"] == true).then_some(snapshot)
    };
    flow.until(&format!("{name} is ready"), ready).await
}
