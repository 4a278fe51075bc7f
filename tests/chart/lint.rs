//! What Helm itself says, for each version of Kubernetes that the chart is for.

use std::fs;
use std::path::Path;

use orlop::config::Config;
use serde_json::{Value, json};

use crate::helm::{Objects, chart, everything, helm, helm_on, refused, render, rendered};

/// From the oldest that is promised to the newest that is tested.
const VERSIONS: [&str; 4] = ["1.34.0", "1.35.0", "1.36.0", "1.37.2"];

#[test]
fn helm_finds_nothing() {
    for values in [json!({}), everything()] {
        for version in VERSIONS {
            let output = helm(&["lint", "--strict", "--kube-version", version], &values);
            let said = String::from_utf8(output.stdout).unwrap();
            assert!(output.status.success(), "{version}: {said}");
        }
    }
}

#[test]
fn every_version_gets_the_same_objects() {
    let mut values = everything();
    // How tokens travel is the one thing that a version changes: see `roles`.
    values["roles"]["config"] = json!({ "enabled": false });
    let newest = rendered(&values, &["--kube-version", "1.37.2"]).unwrap();
    for version in VERSIONS {
        assert_eq!(rendered(&values, &["--kube-version", version]).unwrap(), newest, "{version}");
    }
    let said = rendered(&json!({}), &["--kube-version", "1.33.9"]).unwrap_err();
    assert!(said.contains("requires kubeVersion: >=1.34.0-0"), "{said}");
}

#[test]
fn what_the_cluster_does_not_have_is_left_out_until_it_has_it() {
    let plain = render(&json!({}));
    assert_eq!(plain.names("VolumeSnapshotClass"), Vec::<&str>::new());
    assert_eq!(plain.names("SecurityContextConstraints"), Vec::<&str>::new());
    let apis =
        ["--api-versions=snapshot.storage.k8s.io/v1", "--api-versions=security.openshift.io/v1"];
    let some = rendered(&json!({}), &apis).unwrap();
    assert_eq!(some.names("VolumeSnapshotClass"), ["orlop"]);
    assert_eq!(some.names("VolumeGroupSnapshotClass"), Vec::<&str>::new());
    assert_eq!(some.names("SecurityContextConstraints"), ["orlop-node"]);
    let all = [&apis[..], &["--api-versions=groupsnapshot.storage.k8s.io/v1"]].concat();
    let all = rendered(&json!({}), &all).unwrap();
    assert_eq!(all.names("VolumeGroupSnapshotClass"), ["orlop"]);
}

#[test]
fn every_object_says_what_it_belongs_to() {
    for object in render(&everything()).0 {
        let labels = &object["metadata"]["labels"];
        assert_eq!(labels["app.kubernetes.io/name"], "orlop", "{object}");
        assert_eq!(labels["app.kubernetes.io/instance"], "orlop", "{object}");
        assert_eq!(labels["app.kubernetes.io/managed-by"], "Helm", "{object}");
    }
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let from = entry.unwrap().path();
        let to = to.join(from.file_name().unwrap());
        if from.is_dir() {
            copy_dir(&from, &to);
        } else {
            fs::copy(&from, &to).unwrap();
        }
    }
}

#[test]
fn a_chart_of_charts_can_have_it_or_not() {
    let whole = tempfile::tempdir().unwrap();
    copy_dir(&chart(), &whole.path().join("charts/orlop"));
    let description = "{apiVersion: v2, name: whole, version: 1.0.0, dependencies: \
                       [{name: orlop, version: '>=0.1.0', condition: orlop.enabled}]}";
    fs::write(whole.path().join("Chart.yaml"), description).unwrap();
    for (enabled, drivers) in [(true, 1), (false, 0)] {
        let values = json!({ "global": { "a": "b" }, "orlop": { "enabled": enabled } });
        let output = helm_on(whole.path(), &["template", "orlop"], &values);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        let objects = Objects::parse(&String::from_utf8(output.stdout).unwrap());
        assert_eq!(objects.names("DaemonSet").len(), drivers, "{enabled}");
    }
    // By itself it is there or not there: nothing would hear of it.
    assert!(refused(&json!({ "enabled": false })).contains("/enabled"));
}

#[test]
fn what_a_claim_names_outlives_the_release() {
    let objects = render(&everything());
    let class = objects.one("VolumeAttributesClass", "silver");
    assert_eq!(class["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
    // Under another name of the release, the classes that claims name are there again.
    let values =
        json!({ "fullnameOverride": "deck", "pools": [{ "name": "fast", "path": "/srv" }] });
    assert_eq!(render(&values).names("StorageClass"), ["deck-fast", "deck-fast-immediate"]);
}

#[test]
fn what_cannot_be_is_refused_with_a_sentence() {
    let disk = |name: &str, disk: &str| json!({ "name": name, "device": disk });
    let pool = |place: &str, more: &Value| {
        let mut pool = json!({ "name": "a", place: "/dev/a" });
        pool.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "pools": [pool] })
    };
    for (values, part) in [
        (json!({ "nodes": 1 }), "additional properties 'nodes' not allowed"),
        (
            json!({ "pools": [], "roles": { "scratch": { "enabled": false }, "config": { "enabled": false } } }),
            "nothing for Orlop to do",
        ),
        (
            pool("path", &json!({ "ratio": "lots" })),
            "the ratio lots: write a number from 1 to 1000",
        ),
        (pool("path", &json!({ "ratio": 0 })), "the ratio 0: write"),
        (
            pool("path", &json!({ "lowWater": "2%" })),
            "a reserve of 2%, which is not below its lowWater",
        ),
        (pool("device", &json!({ "ratio": 2 })), "\"a\" is thick, and ratio is for"),
        (pool("path", &json!({ "provisioning": "thick" })), "it needs shared: accepted"),
        (json!({ "metrics": { "host": "127.0.0.1" } }), "nobody reaches a pod but itself"),
        (json!({ "metrics": { "port": 9808 } }), "that of the livenessprobe"),
        (json!({ "pools": [disk("fast", "sda")] }), "does not match pattern"),
        (json!({ "pools": [disk("fast", "/dev/*/sda")] }), "does not match pattern"),
        (json!({ "pools": [disk("a", "/dev/a"), disk("a", "/dev/b")] }), "give them nodeSelectors"),
        (
            json!({ "pools": [disk("a", "/dev/a"), { "name": "b" }] }),
            "neither device, file nor path",
        ),
        (json!({ "pools": [{ "name": "b" }] }), "is named default may leave them out"),
        (json!({ "pools": [{ "name": "default", "ratio": 2 }] }), "which takes no ratio"),
        (json!({ "pools": [{ "name": "a", "file": "/srv/a" }] }), "'size'"),
        (
            json!({ "pools": [{ "name": "a", "path": "/a", "storageClasses": [{ "name": "x" }, { "name": "x" }] }] }),
            "two StorageClasses are named \"x\"",
        ),
        (
            json!({ "pools": [{ "name": "a", "path": "/a", "nodeSelector": { "disk": "ssd" } }],
                    "node": { "nodeSelector": { "disk": "" } } }),
            "\"a\" wants nodes with disk=ssd, and node.nodeSelector allows Orlop only on those with disk=",
        ),
        (json!({ "kubeletDir": "/var/lib/kubelet/" }), "kubeletDir"),
        (json!({ "node": { "toolMemory": "1.5Gi" } }), "toolMemory"),
        (json!({ "driver": { "logFormat": "xml" } }), "logFormat"),
    ] {
        let said = refused(&values);
        assert!(said.contains(part), "{values}: {said}");
    }
}

#[test]
fn what_looks_like_that_but_can_be_is_taken() {
    let with = |more: &Value| {
        let mut pool = json!({ "name": "a", "path": "/srv/a" });
        pool.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "pools": [pool] })
    };
    for values in [
        with(&json!({ "ratio": 1 })),
        with(&json!({ "ratio": "1000" })),
        with(&json!({ "ratio": 1.25, "lowWater": "3%" })),
        with(&json!({ "provisioning": "thick", "shared": "accepted", "reserve": "10%" })),
        json!({ "metrics": { "port": 9808 }, "registration": "builtin" }),
        json!({ "metrics": { "port": 9808 }, "sidecars": { "livenessprobe": { "enabled": false } } }),
    ] {
        let objects = render(&values);
        Config::parse(Path::new("x"), objects.config("orlop-node")).unwrap();
    }
}
