//! The custom resources on a real API server: what it takes, what it refuses, and what an admin sees.

use orlop::cluster::objects::{
    GroupSnapshot, GroupSnapshotStatus, Home, LeastBytes, Orphan, Pool, PoolStatus, Snapshot,
    SnapshotStatus, Volume, VolumeStatus, conditions,
};
use orlop::volume::{
    AccessMode, Asked, Attachment, BlockSize, Bytes, Condition, Content, FsType, Limits,
    LimitsChange, Name, NewGroup, NewSnapshot, NewVolume, Reason, SnapshotId, Source, Timestamp,
    VolumeId,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::rig::{self, Rig};

const UUID: &str = "f2868e1a-a7ca-4669-917c-d9f5ab1b7957";

/// Makes the kinds known, each with a schema that the API server can hold objects against.
async fn define(rig: &Rig) {
    rig.with_orlop().await;
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let found = rig.api.get(path).await.unwrap();
    let definitions = found["items"].as_array().unwrap();
    assert_eq!(definitions.len(), 4);
    for definition in definitions {
        let conditions = definition["status"]["conditions"].as_array().unwrap();
        let wrong = conditions.iter().find(|one| one["type"] == "NonStructuralSchema");
        assert_eq!(wrong, None);
    }
}

fn path(plural: &str) -> String {
    format!("/apis/orlop.dev/v1alpha1/{plural}")
}

/// Makes the object, writes its status as a node does, and returns it as the API server has it.
async fn made<K: Serialize + DeserializeOwned>(
    rig: &Rig,
    plural: &str,
    object: &K,
    status: &impl Serialize,
) -> K {
    let answer = rig.api.post(&path(plural), &json!(object)).await.unwrap();
    let one = format!("{}/{}", path(plural), answer["metadata"]["name"].as_str().unwrap());
    rig.api.patch(&format!("{one}/status"), &json!({ "status": status })).await.unwrap();
    serde_json::from_value(rig.api.get(&one).await.unwrap()).unwrap()
}

fn home() -> Home {
    Home::new("n1", "fast")
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// Returns the wish for a volume that says as much as a wish can.
fn wanted() -> NewVolume {
    let limits = [("readIOPS", "4294967295"), ("writeBytesPerSecond", "9223372036854775807")];
    let limits = limits.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let change = LimitsChange::parse(&std::collections::HashMap::from(limits)).unwrap();
    NewVolume {
        id: VolumeId::of(&name("pvc-1")),
        name: name("pvc-1"),
        size: Bytes::gib(1),
        asked: Asked { required: Some(Bytes::gib(1)), limit: Some(Bytes(i64::MAX as u64)) },
        content: Content::FileSystem(FsType::Xfs),
        block_size: BlockSize::B4096,
        limits: Limits::NONE.changed(&change),
        source: Some(Source::Snapshot(SnapshotId::of(&name("cut")))),
    }
}

#[test]
fn what_controller_and_node_say_is_taken_and_understood() {
    rig::alone(async |rig| {
        define(&rig).await;
        let wanted = wanted();
        let attached = Attachment {
            node: "n1".to_owned(),
            read_only: true,
            mode: AccessMode::SingleNodeWriter,
        };
        let mut volume = wanted.made_now();
        volume.attachments.push(attached);
        let ill = [Condition::data_loss(Reason::ImageMissing, "the image is gone")];
        let status = VolumeStatus {
            observed_generation: Some(1),
            conditions: conditions(&ill, &[], Timestamp::now()),
            ..VolumeStatus::ready(&volume, UUID)
        };
        let found = made(&rig, "volumes", &Volume::of(&volume, &home()), &status).await;
        assert_eq!(found.status, Some(status));
        assert_eq!(found.wanted().unwrap(), wanted);
        assert_eq!(found.made().unwrap().as_ref(), Some(&volume));

        let wanted = NewSnapshot {
            id: SnapshotId::of(&name("s")),
            name: name("s"),
            source: volume.id.clone(),
        };
        let snapshot = wanted.cut_now(&volume);
        let status = SnapshotStatus::ready(&snapshot, UUID);
        let found = made(&rig, "snapshots", &Snapshot::wish(&wanted, &home()), &status).await;
        assert_eq!(found.made().unwrap(), Some(snapshot));

        let all = (0..NewGroup::MOST).map(|n| VolumeId::of(&name(&n.to_string())).to_string());
        let wanted = NewGroup::parse("g", &all.collect::<Vec<_>>()).unwrap();
        let cut = Timestamp::now();
        let pairs = wanted.members().zip(wanted.sources());
        let members = pairs.map(|(id, source)| {
            let source = orlop::volume::Volume { id: source.clone(), ..volume.clone() };
            wanted.member_at(id, &source, cut)
        });
        let (members, group) = (members.collect::<Vec<_>>(), wanted.cut_at(cut));
        let status = GroupSnapshotStatus::ready(&group, &members, UUID);
        let wish = GroupSnapshot::wish(&wanted, &home());
        let found = made(&rig, "groupsnapshots", &wish, &status).await;
        assert_eq!(found.made().unwrap(), Some((group, members)));

        let status = PoolStatus {
            kind: Some("image".to_owned()),
            provisioning: Some("thin".to_owned()),
            uuid: Some(UUID.to_owned()),
            capacity: Some(Bytes::gib(100)),
            used_percent: Some(PoolStatus::percent(Bytes::gib(42), Bytes::gib(100))),
            least_bytes: Some(LeastBytes::by(|_| Bytes::mib(300))),
            orphans: vec![Orphan { id: volume.id.to_string(), kind: "Volume".to_owned() }],
            ..PoolStatus::default()
        };
        let longest = Home::new(["a"; 126].join("."), "p".repeat(63));
        let found = made(&rig, "pools", &Pool::at(&longest), &status).await;
        assert_eq!((found.home(), found.status), (longest, Some(status)));

        let rows = rig.kubectl(["get", "volumes.orlop.dev", "--no-headers"]);
        let cells: Vec<_> = rows.split_whitespace().collect();
        assert_eq!(
            cells[..8],
            [volume.id.as_str(), "n1", "fast", "1", "GiB", "xfs", "Ready", "False"]
        );
        for (selector, count) in [("spec.node=n1", 1), ("spec.node=n2", 0), ("spec.pool=fast", 1)] {
            let path = format!("{}?fieldSelector={selector}", path("volumes"));
            let found = rig.api.get(&path).await.unwrap();
            assert_eq!(found["items"].as_array().unwrap().len(), count, "{selector}");
        }
    });
}

#[test]
fn what_cannot_be_meant_is_refused_and_what_is_true_never() {
    rig::alone(async |rig| {
        define(&rig).await;
        let volume = wanted().made_now();
        let (object, status) = (Volume::of(&volume, &home()), VolumeStatus::ready(&volume, UUID));
        made(&rig, "volumes", &object, &status).await;
        let list = path("volumes");
        let path = format!("{list}/{}", volume.id);
        for (key, value, why) in [
            ("name", json!("pvc-2"), "cannot be changed"),
            ("node", json!("n2"), "cannot be changed"),
            ("pool", json!("bulk"), "cannot be changed"),
            ("content", json!("ext4"), "cannot be changed"),
            ("content", json!("zfs"), "Unsupported value"),
            ("blockSize", json!(512), "cannot be changed"),
            ("asked", Value::Null, "cannot be changed"),
            ("asked", json!({"requiredBytes": 1}), "cannot be changed"),
            ("askedLimits", Value::Null, "cannot be changed"),
            ("source", Value::Null, "cannot be changed"),
            ("bytes", json!(volume.size.0 - 1), "cannot be less than status.bytes"),
            ("bytes", json!(u64::MAX), "must be of type int64"),
            ("bytes", json!(-1), "greater than or equal to 1"),
            ("limits", json!({"readIOPS": 0}), "greater than or equal to 1"),
            ("limits", json!({"readIOPS": 1_u64 << 32}), "less than or equal to 4294967295"),
            ("requires", json!(["Tiers", "Tiers"]), "Duplicate value"),
            ("requires", json!(["two words"]), "should match"),
        ] {
            let refused = rig.api.patch(&path, &json!({"spec": {key: value}})).await.unwrap_err();
            assert_eq!(refused.code, 422, "{key}: {refused:?}");
            assert!(refused.message.contains(why), "{key}: {refused:?}");
        }
        // A wish may be taken back, as long as it was not fulfilled.
        for spec in [
            json!({"bytes": volume.size.0 * 2}),
            json!({"bytes": volume.size.0}),
            json!({"delete": true}),
            json!({"delete": false}),
            json!({"limits": {"readIOPS": 5}}),
            json!({"limits": null}),
            json!({"attachments": [{"node": "n1", "mode": "SingleNodeWriter"}]}),
            json!({"attachments": null}),
            json!({"requires": ["Tiers"]}),
        ] {
            rig.api.patch(&path, &json!({ "spec": spec })).await.unwrap();
        }
        // It was fulfilled nevertheless: that can be told, and the next wish be stated.
        let status = json!({"status": {"bytes": volume.size.0 * 2}});
        rig.api.patch(&format!("{path}/status"), &status).await.unwrap();
        rig.api.patch(&path, &json!({"spec": {"delete": true}})).await.unwrap();

        let mut other = json!(object);
        other["metadata"]["name"] = json!("my-volume");
        let refused = rig.api.post(&list, &other).await.unwrap_err();
        assert!(refused.message.contains("metadata.name is the id"), "{refused:?}");
    });
}
