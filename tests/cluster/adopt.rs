//! A cluster that has lost all its objects loses no data: they are brought back from what lies in the pools.

use std::fs;
use std::process::{Command, Output};

use orlop::csi::v1::VolumeGroupSnapshot;
use serde_json::{Value, json};

use crate::pair::Pair;
use crate::requests;
use crate::rig::{self, Identity, Rig};

const NODE: &str = "kept";
const KINDS: [&str; 4] = ["volumes", "snapshots", "groupsnapshots", "pools"];

/// Returns what the objects of a kind say that has to be the same for ever.
async fn told(rig: &Rig, kind: &str) -> Vec<Value> {
    let path = format!("/apis/orlop.dev/v1alpha1/{kind}");
    let found = rig.api.get(&path).await.unwrap();
    let all = found["items"].as_array().unwrap().iter();
    all.map(|one| {
        let (spec, status) = (&one["spec"], &one["status"]);
        let its = ["phase", "bytes", "created", "members", "poolUuid"].map(|key| &status[key]);
        json!({ "name": one["metadata"]["name"], "spec": spec, "status": its })
    })
    .collect()
}

/// A wish that was fulfilled requires nothing any more.
fn without_requires(all: &[Value]) -> Vec<Value> {
    let mut all = all.to_vec();
    for one in &mut all {
        one["spec"].as_object_mut().unwrap().remove("requires");
    }
    all
}

fn manifests(pair: &Pair) -> Output {
    let mut adopt = Command::new(env!("CARGO_BIN_EXE_orlop"));
    adopt.args(["adopt", "--manifests", "--config"]).arg(&pair.config).output().unwrap()
}

/// Deletes all definitions, and with them all objects.
async fn delete_all_definitions(rig: &Rig) {
    for kind in KINDS {
        let path =
            format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{kind}.orlop.dev");
        rig.api.delete(&path).await.unwrap();
        let gone = async || (rig.api.get(&path).await.err()?.code == 404).then_some(());
        rig.until("the definition is gone", gone).await;
    }
}

/// > When all objects are gone, with their definitions, no data is: it is reported, `orlop adopt --manifests` brings the
/// > objects back, and volumes that are used meanwhile do not notice.
#[test]
fn all_objects_are_lost_and_nothing_else_is() {
    rig::alone(async |rig| {
        let disk = tempfile::tempdir().unwrap();
        let file = disk.path().join("fast.img");
        let pool = json!({ "name": "fast", "kind": "image", "file": file, "size": "3Gi" });
        let pair = Pair::start(&rig, NODE, pool).await;
        let (used, idle) = (pair.volume("used").await, pair.volume("idle").await);
        let staging = disk.path().join("staging");
        pair.stage(&used, &staging).await;
        let letter = staging.join("letter");
        fs::write(&letter, "dear reader").unwrap();
        let cut = pair.snapshot("cut", &used).await;
        let group = pair.group("group", &[&used, &idle]).await;
        pair.delete_volume(&idle).await;
        let mut before = Vec::new();
        for kind in KINDS {
            before.push(told(&rig, kind).await);
        }

        delete_all_definitions(&rig).await;
        fs::write(&letter, "dear reader, nothing has happened").unwrap();
        rig.install_orlop().await;
        let orphans = async || {
            let path = format!("/apis/orlop.dev/v1alpha1/pools/{NODE}.fast");
            let pool = rig.api.get(&path).await.ok()?;
            (pool["status"]["orphanCount"] == 3).then_some(())
        };
        rig.until("the node reports what has no object", orphans).await;

        let printed = manifests(&pair);
        assert!(printed.status.success(), "{printed:?}");
        let made = rig.room(NODE).join("manifests.yaml");
        fs::write(&made, &printed.stdout).unwrap();
        let create = ["create", "-f", made.to_str().unwrap()];
        rig.kubectl(create);
        // Once more changes nothing of what is there, and says so for each.
        let again = rig.kubectl_as(&Identity::Admin, create);
        let said = String::from_utf8(again.stderr).unwrap();
        assert_eq!((again.status.success(), said.matches("already exists").count()), (false, 3));

        for (kind, before) in KINDS.iter().zip(&before) {
            let same = async || {
                let found = told(&rig, kind).await;
                (without_requires(&found) == without_requires(before)).then_some(())
            };
            rig.until("the objects are as they were", same).await;
        }
        is_served(&pair, &used, &cut, &group).await;

        assert_eq!(fs::read_to_string(&letter).unwrap(), "dear reader, nothing has happened");
        pair.unstage(&used, &staging).await;
        pair.delete_group(&group.group_snapshot_id, &members(&group)).await;
        pair.delete_snapshot(&cut).await;
        pair.delete_volume(&used).await;
        assert!(told(&rig, "volumes").await.is_empty());
        let printed = String::from_utf8(manifests(&pair).stdout).unwrap();
        let nothing = "# pool fast on node kept: volumes: 0, snapshots: 0, group snapshots: 0\n";
        assert_eq!(printed, nothing);
    });
}

/// All that can be done with what was adopted.
async fn is_served(pair: &Pair, used: &str, cut: &str, group: &VolumeGroupSnapshot) {
    assert_eq!(pair.volume("used").await, used);
    assert_eq!(pair.snapshot("cut", used).await, cut);
    let mut controller = pair.controller.clone();
    let larger = requests::expand(used, 768 << 20);
    controller.controller_expand_volume(larger).await.unwrap();
    let mut restored = requests::create("restored");
    restored.volume_content_source = requests::of_snapshot(cut);
    let restored = controller.create_volume(restored).await.unwrap().into_inner();
    pair.delete_volume(&restored.volume.unwrap().volume_id).await;
    let mut groups = pair.groups.clone();
    let request = requests::get_group(&group.group_snapshot_id, &members(group));
    let found = groups.get_volume_group_snapshot(request).await.unwrap().into_inner();
    assert_eq!(found.group_snapshot.as_ref(), Some(group));
}

fn members(group: &VolumeGroupSnapshot) -> Vec<String> {
    group.snapshots.iter().map(|one| one.snapshot_id.clone()).collect()
}
