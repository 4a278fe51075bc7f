//! Objects of each kind, on the node that a test wants them on.

use orlop::cluster::objects::{GroupSnapshot, Home, Pool, Snapshot, Volume};
use orlop::volume::{Name, NewGroup, NewSnapshot, SnapshotId, VolumeId};
use serde_json::{Value, json};

use crate::rig::{Rig, wanted};

/// The kinds that are wishes.
pub(super) const WISHES: [&str; 3] = ["volumes", "snapshots", "groupsnapshots"];

/// Returns where the objects of the kind are.
pub(super) fn list(kind: &str) -> String {
    format!("/apis/orlop.dev/v1alpha1/{kind}")
}

/// Returns where the object is.
pub(super) fn path(kind: &str, object: &Value) -> String {
    format!("{}/{}", list(kind), object["metadata"]["name"].as_str().unwrap())
}

/// Returns an object of the kind.
pub(super) fn thing(kind: &str, name: &str, node: &str) -> Value {
    let (home, name) = (Home::new(node, "fast"), Name::parse(name).unwrap());
    let source = VolumeId::of(&name);
    match kind {
        "volumes" => json!(Volume::wish(&wanted(name), &home)),
        "snapshots" => {
            let wanted = NewSnapshot { id: SnapshotId::of(&name), name, source };
            json!(Snapshot::wish(&wanted, &home))
        }
        "groupsnapshots" => {
            let wanted = NewGroup::parse(name.as_str(), &[source.to_string()]).unwrap();
            json!(GroupSnapshot::wish(&wanted, &home))
        }
        other => panic!("{other}"),
    }
}

/// Returns the object of a pool.
pub(super) fn pool(node: &str, pool: &str) -> Value {
    json!(Pool::at(&Home::new(node, pool)))
}

/// Makes an object of the kind, of which its node says this, and returns where it is.
pub(super) async fn made(rig: &Rig, kind: &str, name: &str, node: &str, phase: &str) -> String {
    let object = rig.api.post(&list(kind), &thing(kind, name, node)).await.unwrap();
    let path = path(kind, &object);
    if !phase.is_empty() {
        rig.api.patch(&format!("{path}/status"), &status(phase)).await.unwrap();
    }
    path
}

pub(super) fn status(phase: &str) -> Value {
    json!({ "status": { "phase": phase } })
}

pub(super) fn wished_away() -> Value {
    json!({ "spec": { "delete": true } })
}
