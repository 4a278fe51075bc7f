//! `orlop adopt --manifests`: the objects of what lies in a pool.

use orlop::cluster::objects::{GroupSnapshot, Snapshot, Volume};
use serde::de::DeserializeOwned;

use super::{NODE, Scene, delete, delete_snapshot, find, group, snapshot};
use crate::requests::expand;
use crate::rig::Ground;
use crate::support::in_mount_namespace;

const GIB: i64 = 1 << 30;

/// Returns the objects of one kind.
fn objects<K: DeserializeOwned>(printed: &str, kind: &str) -> Vec<K> {
    let documents = printed.split("---\n").skip(1);
    let of_kind = documents.filter(|text| text.contains(&format!("\nkind: {kind}\n")));
    of_kind.map(|text| serde_saphyr::from_str(text).unwrap()).collect()
}

#[test]
fn all_that_lies_in_a_pool_has_an_object() {
    in_mount_namespace();
    let ground = Ground::new();
    let mut scene = Scene::new(ground.path());
    let (id, other, gone) = (scene.create("pvc-1"), scene.create("pvc-2"), scene.create("pvc-3"));
    scene.attach(&id);
    let mut controller = scene.controller();
    scene.runtime.block_on(controller.controller_expand_volume(expand(&id, 2 * GIB))).unwrap();
    let cut = |name, of: &str| {
        let mut controller = scene.controller();
        let answer = scene.runtime.block_on(controller.create_snapshot(snapshot(name, of)));
        answer.unwrap().into_inner().snapshot.unwrap().snapshot_id
    };
    let (kept, deleted) = (cut("snap-1", &gone), cut("snap-2", &id));
    scene.runtime.block_on(controller.delete_snapshot(delete_snapshot(&deleted))).unwrap();
    scene.runtime.block_on(controller.delete_volume(delete(&gone))).unwrap();
    let wanted = group("group-1", &[&id, &other]);
    let answer = scene.runtime.block_on(scene.groups().create_volume_group_snapshot(wanted));
    let cut = answer.unwrap().into_inner().group_snapshot.unwrap();

    // Beside the driver, and without one.
    let printed = scene.verb(&["adopt", "--manifests"]);
    assert_eq!((printed.code, &*printed.stderr), (Some(0), ""), "{printed:?}");
    let first = "# pool default on node n1: volumes: 2, snapshots: 1, group snapshots: 1\n---\n";
    assert!(printed.stdout.starts_with(first), "{printed:?}");
    scene.stop();
    assert_eq!(scene.verb(&["adopt", "default", "--manifests"]).stdout, printed.stdout);

    let listed = scene.json("volumes");
    let volumes: Vec<Volume> = objects(&printed.stdout, "Volume");
    assert_eq!(volumes.len(), 2);
    for volume in &volumes {
        let wanted = volume.wanted().unwrap();
        let line = find(&listed, "id", wanted.id.as_str());
        assert_eq!(line["name"], wanted.name.as_str());
        assert_eq!(line["sizeBytes"], wanted.size.0);
        assert_eq!(line["content"], wanted.content.to_string());
        assert_eq!((&*volume.spec.node, &*volume.spec.pool), (NODE, "default"));
        assert_eq!((volume.spec.delete, &volume.status), (false, &None));
    }
    let volume = volumes.iter().find(|one| one.metadata.name.as_ref() == Some(&id)).unwrap();
    assert_eq!(volume.spec.bytes.0, 2 * GIB.unsigned_abs());
    assert!(volume.spec.asked.unwrap().required_bytes.unwrap() < volume.spec.bytes);
    assert_eq!(volume.attachments().unwrap()[0].node, NODE);

    let snapshots: Vec<Snapshot> = objects(&printed.stdout, "Snapshot");
    let wanted: Vec<_> = snapshots.iter().map(|one| one.wanted().unwrap()).collect();
    assert_eq!(wanted.len(), 1);
    assert_eq!((wanted[0].id.to_string(), wanted[0].source.to_string()), (kept, gone));
    let groups: Vec<GroupSnapshot> = objects(&printed.stdout, "GroupSnapshot");
    assert_eq!(groups.len(), 1);
    let wanted = groups[0].wanted().unwrap();
    assert_eq!(wanted.id.to_string(), cut.group_snapshot_id);
    let sources: Vec<_> = wanted.sources().iter().map(ToString::to_string).collect();
    let mut expected = [id, other];
    expected.sort();
    assert_eq!(sources, expected);
}

#[test]
fn what_nobody_can_tell_is_said_and_the_rest_is_printed() {
    in_mount_namespace();
    let ground = Ground::new();
    let mut scene = Scene::new(ground.path());
    let (whole, damaged) = (scene.create("pvc-1"), scene.create("pvc-2"));
    scene.stop();
    let record = ground.path().join(format!("pool/volumes/{damaged}/volume.json"));
    std::fs::write(&record, "").unwrap();
    let printed = scene.verb(&["adopt", "--manifests"]);
    assert_eq!(printed.code, Some(1));
    let said = format!(
        "orlop: cannot read pool default: what has no readable record: {}",
        record.display()
    );
    assert!(printed.stderr.starts_with(&said), "{printed:?}");
    assert!(printed.stdout.contains(&format!("name: {whole}\n")), "{printed:?}");
    assert!(!printed.stdout.contains(&damaged), "{printed:?}");

    // To another node nothing in it belongs.
    let foreign = scene.verb(&["adopt", "--manifests", "--node-id", "n2"]);
    assert_eq!((foreign.code, &*foreign.stdout), (Some(1), ""));
    let said = "it belongs to node n1: when no other machine uses it, run `orlop adopt default`";
    assert!(foreign.stderr.contains(said), "{foreign:?}");
    let unknown = scene.verb(&["adopt", "slow", "--manifests"]);
    assert_eq!(unknown.code, Some(2));
}
