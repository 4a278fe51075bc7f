//! The chart in a real API server: what Helm makes of it, and what it leaves.

mod change;
mod life;
mod security;
mod sidecars;

use serde_json::{Value, json};

use crate::rig::{Rig, program};

/// Everything that a cluster without operators can take.
fn everything() -> Value {
    let spare = json!({ "name": "fast", "device": "/dev/sdb", "nodeSelector": { "disk": "ssd" } });
    json!({
        "pools": [
            { "name": "fast", "device": "/dev/nvme0n1", "nodeSelector": { "disk": "nvme" } },
            spare,
            { "name": "bulk", "path": "/srv/bulk", "ratio": 3, "storageClasses": [
                { "name": "bulk", "isDefault": true, "fsType": "ext4", "mountOptions": ["noatime"],
                  "allowedTopologies": [{ "matchLabelExpressions": [{ "key": "zone", "values": ["a"] }] }] },
            ] },
        ],
        "volumeAttributesClasses": [{ "name": "silver", "parameters": { "readIOPS": "2k" } }],
        "controller": { "replicas": 2, "tolerations": [{ "operator": "Exists" }] },
        "networkPolicy": { "enabled": true, "from": [{ "namespaceSelector": {} }] },
        "dashboard": { "enabled": true },
    })
}

/// Adds the definitions of snapshots, which are the cluster's.
fn with_snapshots(rig: &Rig) {
    let kinds = program("snapshot-crds");
    rig.kubectl(["apply", "--server-side", "-f", kinds.to_str().unwrap()]);
    rig.kubectl(["wait", "--for=condition=Established", "crd", "--all"]);
}

/// Returns the names of the objects of a kind, one a line.
fn names(rig: &Rig, kind: &str) -> Vec<String> {
    let names = rig.kubectl(["get", kind, "--all-namespaces", "--output", "name"]);
    let names = names.lines().map(|name| name.split_once('/').unwrap().1.to_owned());
    names.collect()
}
