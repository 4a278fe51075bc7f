//! Installed, upgraded, uninstalled, installed again.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use super::{everything, names, with_snapshots};
use crate::rig::{self, Rig, chart};

const VOLUME: &str = "v-00000000000000000000000000000001";

/// Returns how often the spec of each object that Helm manages was changed.
fn generations(rig: &Rig) -> BTreeMap<String, Value> {
    let kinds = "daemonsets,deployments,crds,csidrivers,storageclasses,configmaps,clusterroles,\
                 validatingadmissionpolicies,volumesnapshotclasses";
    let all =
        rig.kubectl(["get", kinds, "-A", "-l", "app.kubernetes.io/part-of=orlop", "-o", "json"]);
    let all: Value = serde_json::from_str(&all).unwrap();
    let one = |one: &Value| {
        let name = format!("{} {}", one["kind"], one["metadata"]["name"]);
        let spec = [&one["spec"], &one["data"], &one["rules"], &one["parameters"]];
        (name, json!([one["metadata"]["generation"], spec]))
    };
    all["items"].as_array().unwrap().iter().map(one).collect()
}

/// Makes an object that somebody's data belongs to.
async fn volume(rig: &Rig) {
    let spec = json!({
        "name": "pvc-1", "node": "none", "pool": "none", "bytes": 1, "content": "block", "blockSize": 4096,
    });
    let volume = json!({
        "apiVersion": "orlop.dev/v1alpha1", "kind": "Volume", "metadata": { "name": VOLUME },
        "spec": spec,
    });
    let path = "/apis/orlop.dev/v1alpha1/volumes";
    let served = async || rig.api.get(path).await.ok();
    rig.until("the kinds are served", served).await;
    rig.api.post(path, &volume).await.unwrap();
}

#[test]
fn an_upgrade_to_the_same_changes_nothing() {
    rig::alone(async |rig| {
        with_snapshots(&rig);
        let said = rig.helm_install("orlop", &chart(), &everything(), &[]).unwrap();
        assert!(said.contains("pod-security.kubernetes.io/enforce=privileged"), "{said}");
        assert!(said.contains("helm test orlop --namespace orlop"), "{said}");
        assert!(!said.contains("Snapshots are off"), "{said}");
        assert_eq!(names(&rig, "daemonsets").len(), 3);
        assert_eq!(names(&rig, "volumesnapshotclasses"), ["orlop"]);
        assert_eq!(names(&rig, "volumegroupsnapshotclasses"), ["orlop"]);
        let before = generations(&rig);
        assert!(before.len() > 20, "{before:#?}");
        rig.helm_install("orlop", &chart(), &everything(), &[]).unwrap();
        assert_eq!(generations(&rig), before);
    });
}

#[test]
fn the_manifest_without_helm_is_taken_as_it_is() {
    rig::alone(async |rig| {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/orlop.yaml");
        rig.kubectl(["apply", "--filename", manifest]);
        assert_eq!(names(&rig, "daemonsets"), ["orlop-node"]);
        assert_eq!(names(&rig, "crd").len(), 4);
        let again = rig.kubectl(["apply", "--filename", manifest]);
        assert!(again.lines().all(|line| line.ends_with(" unchanged")), "{again}");
    });
}

#[test]
fn what_a_cluster_gets_later_comes_with_the_next_upgrade() {
    rig::alone(async |rig| {
        let said = rig.helm_install("orlop", &chart(), &json!({}), &[]).unwrap();
        assert!(said.contains("Snapshots are off, because the cluster does not have their API"));
        assert!(said.contains("Its pool is for trying out"), "{said}");
        rig.kubectl([
            "label",
            "namespace",
            "orlop",
            "pod-security.kubernetes.io/enforce=privileged",
        ]);
        with_snapshots(&rig);
        let said = rig.helm_install("orlop", &chart(), &json!({}), &[]).unwrap();
        assert!(!said.contains("Snapshots are off"), "{said}");
        assert!(said.contains("nothing to do"), "{said}");
        assert_eq!(names(&rig, "volumesnapshotclasses"), ["orlop"]);
    });
}

#[test]
fn an_upgrade_brings_definitions_back_that_were_deleted() {
    rig::alone(async |rig| {
        rig.helm_install("orlop", &chart(), &json!({}), &[]).unwrap();
        volume(&rig).await;
        rig.kubectl(["delete", "crd", "volumes.orlop.dev", "pools.orlop.dev"]);
        rig.helm_install("orlop", &chart(), &json!({}), &[]).unwrap();
        assert_eq!(names(&rig, "crd").len(), 4);
        volume(&rig).await;
    });
}

#[test]
fn what_is_uninstalled_leaves_everything_that_data_needs_and_comes_back() {
    rig::alone(async |rig| {
        let silver = json!({ "name": "silver", "parameters": { "readIOPS": "2k" } });
        let values = json!({ "volumeAttributesClasses": [silver] });
        rig.helm_install("orlop", &chart(), &values, &[]).unwrap();
        volume(&rig).await;
        for (release, options) in [("orlop", &[][..]), ("deck", &["--take-ownership"])] {
            let release_before = if release == "deck" { "orlop" } else { release };
            rig.helm_uninstall(release_before);
            assert_eq!(names(&rig, "crd").len(), 4);
            assert_eq!(names(&rig, "csidriver"), ["csi.orlop.dev"]);
            assert_eq!(names(&rig, "volumeattributesclasses"), ["silver"]);
            assert_eq!(names(&rig, "volumes.orlop.dev"), [VOLUME]);
            assert_eq!(names(&rig, "daemonsets"), Vec::<String>::new());
            assert_eq!(
                names(&rig, "clusterroles").iter().filter(|one| one.starts_with("orlop")).count(),
                0
            );
            if !options.is_empty() {
                let said = rig.helm_install(release, &chart(), &values, &[]).unwrap_err();
                assert!(said.contains("cannot be imported into the current release"), "{said}");
            }
            rig.helm_install(release, &chart(), &values, options).unwrap();
            assert_eq!(names(&rig, "volumes.orlop.dev"), [VOLUME]);
            assert_eq!(names(&rig, "daemonsets").len(), 1);
        }
        assert_eq!(names(&rig, "daemonsets"), ["deck-orlop-node"]);
        // Claims name these: under the old name they are what they were.
        rig.helm_uninstall("deck");
        let named = json!({ "fullnameOverride": "orlop" });
        rig.helm_install("other", &chart(), &named, &["--take-ownership"]).unwrap();
        let classes = ["orlop-default", "orlop-default-immediate"];
        assert_eq!(names(&rig, "storageclasses"), classes);
    });
}

#[test]
fn an_upgrade_brings_what_is_new_in_a_definition() {
    rig::alone(async |rig| {
        rig.helm_install("orlop", &chart(), &json!({}), &[]).unwrap();
        volume(&rig).await;
        let path = format!("/apis/orlop.dev/v1alpha1/volumes/{VOLUME}");
        let note = json!({ "spec": { "note": "kept" } });
        let without = rig.api.patch(&path, &note).await.unwrap();
        assert_eq!(without["spec"]["note"], Value::Null);

        let newer = newer_chart(&rig);
        rig.helm_install("orlop", &newer, &json!({}), &[]).unwrap();
        let stored = async || {
            rig.api.patch(&path, &note).await.unwrap();
            let volume = rig.api.get(&path).await.unwrap();
            (volume["spec"]["note"] == "kept").then_some(())
        };
        rig.until("the new field is stored", stored).await;
    });
}

/// Returns a chart whose Volumes have one field more.
fn newer_chart(rig: &Rig) -> std::path::PathBuf {
    let newer = rig.room("newer");
    let copied = std::process::Command::new("cp").arg("-r").arg(chart()).arg(&newer).status();
    assert!(copied.unwrap().success());
    let newer = newer.join("orlop");
    let file = newer.join("files/crds.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let old = "          spec:\n";
    let (above, below) = text.split_once(old).unwrap();
    let (between, below) = below.split_once("            properties:\n").unwrap();
    let field = "              note:\n                description: A field that is new.\n                type: string\n";
    let text = format!("{above}{old}{between}            properties:\n{field}{below}");
    fs::write(&file, text).unwrap();
    newer
}
