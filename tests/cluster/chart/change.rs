//! What Kubernetes lets nobody change is refused before anything is, with a sentence that says what to do.

use serde_json::{Value, json};

use super::names;
use crate::rig::{self, Rig, chart};

fn class(of: &Value) -> Value {
    json!({
        "pools": [{ "name": "fast", "path": "/srv/fast", "storageClasses": [of] }],
        "volumeAttributesClasses": [{ "name": "silver", "parameters": { "readIOPS": "2k" } }],
    })
}

fn refused(rig: &Rig, values: &Value) -> String {
    rig.helm_install("orlop", &chart(), values, &[]).unwrap_err()
}

#[test]
fn a_class_that_is_there_keeps_what_it_says() {
    rig::alone(async |rig| {
        rig.helm_install("orlop", &chart(), &class(&json!({ "fsType": "xfs" })), &[]).unwrap();
        let ext4 = class(&json!({ "fsType": "ext4" }));
        let said = refused(&rig, &ext4);
        for part in [
            "the StorageClass orlop-fast has parameters: {\"csi.storage.k8s.io/fstype\":\"xfs\",\"pool\":\"fast\"}",
            "Kubernetes lets nobody change that into {\"csi.storage.k8s.io/fstype\":\"ext4\",\"pool\":\"fast\"}",
            "`kubectl delete storageclass orlop-fast` first",
        ] {
            assert!(said.contains(part), "{said}");
        }
        let retained = class(&json!({ "fsType": "xfs", "reclaimPolicy": "Retain" }));
        assert!(refused(&rig, &retained).contains("has reclaimPolicy: \"Delete\""));
        // What the sentence says to do is enough.
        rig.kubectl(["delete", "storageclass", "orlop-fast", "orlop-fast-immediate"]);
        rig.helm_install("orlop", &chart(), &ext4, &[]).unwrap();
        let class =
            rig.kubectl(["get", "storageclass", "orlop-fast", "-o", "jsonpath={.parameters}"]);
        assert!(class.contains("ext4"), "{class}");
    });
}

#[test]
fn what_may_change_of_a_class_changes() {
    rig::alone(async |rig| {
        rig.helm_install("orlop", &chart(), &class(&json!({})), &[]).unwrap();
        let other = class(&json!({ "mountOptions": ["noatime"], "isDefault": true }));
        rig.helm_install("orlop", &chart(), &other, &[]).unwrap();
        let options =
            rig.kubectl(["get", "storageclass", "orlop-fast", "-o", "jsonpath={.mountOptions}"]);
        assert_eq!(options, "[\"noatime\"]");
        rig.helm_install("orlop", &chart(), &class(&json!({ "immediate": false })), &[]).unwrap();
        assert_eq!(names(&rig, "storageclasses"), ["orlop-fast"]);
    });
}

#[test]
fn other_limits_are_another_class_of_attributes() {
    rig::alone(async |rig| {
        let mut values = class(&json!({}));
        rig.helm_install("orlop", &chart(), &values, &[]).unwrap();
        values["volumeAttributesClasses"][0]["parameters"]["readIOPS"] = "3k".into();
        let said = refused(&rig, &values);
        assert!(said.contains("the VolumeAttributesClass silver has parameters"), "{said}");
        assert!(said.contains("add a class with another name"), "{said}");
    });
}

#[test]
fn a_csi_driver_that_wants_to_be_attached_is_in_the_way() {
    rig::alone(async |rig| {
        rig.apply(ATTACHED);
        let said = refused(&rig, &json!({}));
        assert!(said.contains("has attachRequired: true"), "{said}");
        rig.kubectl(["delete", "csidriver", "csi.orlop.dev"]);
        rig.helm_install("orlop", &chart(), &json!({}), &[]).unwrap();
    });
}

const ATTACHED: &str = "
apiVersion: storage.k8s.io/v1
kind: CSIDriver
metadata: {name: csi.orlop.dev}
spec: {attachRequired: true}
";
