//! What is said in an object is what the other process understands.

use kube::Resource;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::*;
use crate::error::Error;
use crate::volume::{
    self as noun, AccessMode, BlockSize, Bytes, Content, FsType, GroupId, Name, NewGroup,
    NewSnapshot, NewVolume, SnapshotId, Timestamp, VolumeId,
};

const UUID: &str = "f2868e1a-a7ca-4669-917c-d9f5ab1b7957";

/// Returns the object as another process reads it, with the status that the node writes.
fn sent<K: Wish>(object: &K, status: &impl serde::Serialize) -> K {
    let mut text = serde_json::to_value(object).unwrap();
    text["status"] = serde_json::to_value(status).unwrap();
    serde_json::from_value(text).unwrap()
}

/// Returns the object with one of its keys changed by hand.
fn edited<K: Wish>(object: &K, pointer: &str, value: Value) -> K {
    let mut text = serde_json::to_value(object).unwrap();
    *text.pointer_mut(pointer).unwrap() = value;
    serde_json::from_value(text).unwrap()
}

fn home() -> Home {
    Home::new("n1", "fast")
}

fn name() -> impl Strategy<Value = Name> {
    "[^\\p{Cc}]{1,32}".prop_map(|text| Name::parse(&text).unwrap())
}

fn bytes() -> impl Strategy<Value = Bytes> {
    (1..=i64::MAX.unsigned_abs()).prop_map(Bytes)
}

fn content() -> impl Strategy<Value = Content> {
    let mut all = FsType::ALL.map(Content::FileSystem).to_vec();
    all.push(Content::Block);
    select(all)
}

fn block_size() -> impl Strategy<Value = BlockSize> {
    select(vec![BlockSize::B512, BlockSize::B4096])
}

fn volume_id() -> impl Strategy<Value = VolumeId> {
    name().prop_map(|name| VolumeId::of(&name))
}

fn source() -> impl Strategy<Value = noun::Source> {
    prop_oneof![
        volume_id().prop_map(noun::Source::Volume),
        name().prop_map(|name| noun::Source::Snapshot(SnapshotId::of(&name))),
        (name(), 0..1024usize).prop_map(|(name, number)| {
            noun::Source::Snapshot(SnapshotId::of_member(&GroupId::of(&name), number))
        }),
    ]
}

prop_compose! {
    fn limits()(
        operations in [option::of(1..=u32::MAX), option::of(1..=u32::MAX)],
        bytes in [option::of(bytes()), option::of(bytes())],
    ) -> noun::Limits {
        let wire = Limits {
            read_iops: operations[0].map(u64::from),
            write_iops: operations[1].map(u64::from),
            read_bytes: bytes[0],
            write_bytes: bytes[1],
        };
        wire.into()
    }
}

prop_compose! {
    fn attachment()(node in "[a-z]{1,9}", read_only: bool, mode in select(AccessMode::ALL.to_vec()))
        -> noun::Attachment
    {
        noun::Attachment { node, read_only, mode }
    }
}

prop_compose! {
    fn new_volume()(
        name in name(),
        size in bytes(),
        required in option::of(bytes()),
        limit in option::of(bytes()),
        content in content(),
        block_size in block_size(),
        limits in limits(),
        source in option::of(source()),
    ) -> NewVolume {
        let asked = noun::Asked { required, limit };
        NewVolume { id: VolumeId::of(&name), name, size, asked, content, block_size, limits, source }
    }
}

prop_compose! {
    fn volume()(
        wanted in new_volume(),
        size in bytes(),
        limits in limits(),
        attachments in proptest::collection::vec(attachment(), 0..3),
        created: u64,
    ) -> noun::Volume {
        let created = Timestamp::of_nanos(created);
        noun::Volume { size, limits, attachments, created, ..wanted.made_now() }
    }
}

proptest! {
    #[test]
    fn a_wish_for_a_volume_is_understood(wanted in new_volume()) {
        let object = sent(&Volume::wish(&wanted, &home()), &VolumeStatus::default());
        prop_assert_eq!(object.id().unwrap(), wanted.id.clone());
        prop_assert_eq!(object.home(), home());
        prop_assert_eq!(object.limits(), wanted.limits);
        prop_assert_eq!(object.made().unwrap(), None);
        prop_assert_eq!(object.wanted().unwrap(), wanted);
    }

    #[test]
    fn a_volume_is_told_as_it_is(volume in volume()) {
        let status = VolumeStatus::ready(&volume, UUID);
        let object = sent(&Volume::of(&volume, &home()), &status);
        prop_assert_eq!(object.status.as_ref(), Some(&status));
        prop_assert_eq!(object.attachments().unwrap(), volume.attachments.clone());
        prop_assert_eq!(object.made().unwrap(), Some(volume));
    }

    #[test]
    fn a_snapshot_is_told_as_it_is(
        name in name(), source in volume(), size in bytes(), created: u64,
    ) {
        let wanted = NewSnapshot { id: SnapshotId::of(&name), name, source: source.id.clone() };
        let wish = sent(&Snapshot::wish(&wanted, &home()), &SnapshotStatus::default());
        prop_assert_eq!(wish.made().unwrap(), None);
        prop_assert_eq!(wish.wanted().unwrap(), wanted.clone());
        let created = Timestamp::of_nanos(created);
        let snapshot = noun::Snapshot { size, created, ..wanted.cut_now(&source) };
        let object = sent(&Snapshot::of(&snapshot, &home()), &SnapshotStatus::ready(&snapshot, UUID));
        prop_assert_eq!(object.made().unwrap(), Some(snapshot));
    }

    #[test]
    fn a_group_is_told_with_its_members(
        name in name(), sources in proptest::collection::vec(volume(), 1..5), created: u64,
    ) {
        let mut sources = sources;
        sources.sort_by(|a, b| a.id.cmp(&b.id));
        sources.dedup_by(|a, b| a.id == b.id);
        let ids: Vec<_> = sources.iter().map(|volume| volume.id.to_string()).collect();
        let wanted = NewGroup::parse(name.as_str(), &ids).unwrap();
        let wish = sent(&GroupSnapshot::wish(&wanted, &home()), &GroupSnapshotStatus::default());
        prop_assert_eq!(wish.made().unwrap(), None);
        prop_assert_eq!(wish.wanted().unwrap(), wanted.clone());
        let created = Timestamp::of_nanos(created);
        let cut = wanted.members().zip(&sources);
        let members: Vec<_> =
            cut.map(|(id, source)| wanted.member_at(id, source, created)).collect();
        let group = wanted.cut_at(created);
        let status = GroupSnapshotStatus::ready(&group, &members, UUID);
        let object = sent(&GroupSnapshot::of(&group, &home()), &status);
        prop_assert_eq!(object.made().unwrap(), Some((group, members)));
    }
}

/// Returns a volume's object with a source and everything else that a wish can have.
fn whole() -> Volume {
    let name = Name::parse("pvc-1").unwrap();
    let created = Timestamp::of_nanos(1);
    let volume = noun::Volume {
        id: VolumeId::of(&name),
        source: Some(noun::Source::Volume(VolumeId::of(&Name::parse("pvc-0").unwrap()))),
        name,
        size: Bytes::gib(1),
        asked: noun::Asked::default(),
        content: Content::Block,
        block_size: BlockSize::B512,
        asked_limits: noun::Limits::NONE,
        limits: noun::Limits::NONE,
        attachments: vec![noun::Attachment {
            node: "n1".to_owned(),
            read_only: false,
            mode: AccessMode::SingleNodeWriter,
        }],
        created,
    };
    sent(&Volume::of(&volume, &home()), &VolumeStatus::ready(&volume, UUID))
}

#[test]
fn what_was_edited_by_hand_is_told_with_the_key_and_hides_nothing() {
    for (pointer, value, naming) in [
        ("/metadata/name", json!("my-volume"), "metadata.name: \"my-volume\" is not a volume id"),
        ("/spec/name", json!("pvc-2"), "spec.name: is not the name that this id belongs to"),
        ("/spec/name", json!(""), "spec.name: name: is required"),
        ("/spec/content", json!("zfs"), "spec.content: \"zfs\" is nothing that a volume holds"),
        ("/spec/blockSize", json!(1024), "spec.blockSize: 1024 is not a block size"),
        ("/spec/source/kind", json!("Disk"), "spec.source.kind: \"Disk\" is neither"),
        ("/spec/source/id", json!("v-1"), "spec.source.id: \"v-1\" is not a volume id"),
        ("/spec/attachments/0/mode", json!("Any"), "spec.attachments.mode: \"Any\" is no access"),
        ("/status/created", json!("soon"), "status.created: \"soon\" is no instant"),
        ("/status/bytes", Value::Null, "status.bytes: is missing"),
    ] {
        let refused = edited(&whole(), pointer, value).made().unwrap_err();
        assert!(matches!(refused, Error::Unfit { .. }), "{refused:?}");
        let told = refused.sentence();
        assert!(told.starts_with("object Volume ") && told.contains(naming), "{told}");
    }
}

#[test]
fn the_members_are_those_of_the_group() {
    let ids = ["a", "b"].map(|name| VolumeId::of(&Name::parse(name).unwrap()).to_string());
    let wanted = NewGroup::parse("g", &ids).unwrap();
    let group = wanted.cut_at(Timestamp::of_nanos(1));
    let members: Vec<_> = wanted
        .members()
        .zip(wanted.sources())
        .map(|(id, source)| noun::Snapshot {
            id,
            name: group.name.clone(),
            source: source.clone(),
            size: Bytes(4096),
            content: Content::Block,
            block_size: BlockSize::B4096,
            created: group.created,
        })
        .collect();
    let status = GroupSnapshotStatus::ready(&group, &members, UUID);
    let object = sent(&GroupSnapshot::of(&group, &home()), &status);
    let other = SnapshotId::of_member(&GroupId::of(&Name::parse("h").unwrap()), 0);
    for (pointer, value, naming) in [
        ("/status/members", json!([]), "status.members: are 0 of 2 volumes"),
        ("/status/members/0/id", json!(other), "status.members: have not the ids of this group"),
        ("/status/members/1/source", json!(wanted.sources()[0]), "status.members.source: "),
        ("/spec/sources/1", json!(wanted.sources()[0]), "spec: source_volume_ids: names"),
    ] {
        let told = edited(&object, pointer, value.clone()).made();
        let told = match told {
            Err(told) => told.sentence(),
            Ok(made) => panic!("{pointer} {value}: {made:?}"),
        };
        assert!(told.contains(naming), "{told}");
    }
}

#[test]
fn what_a_newer_orlop_wrote_is_read_as_far_as_it_is_known() {
    let mut text = serde_json::to_value(whole()).unwrap();
    text["spec"]["tier"] = json!("cold");
    text["spec"]["limits"] = json!({"readIOPS": 7, "burst": 9});
    text["spec"]["requires"] = json!(["Tiers", "Snapshots"]);
    text["status"]["phase"] = json!("Moving");
    text["status"]["tier"] = json!({"name": "cold"});
    let object: Volume = serde_json::from_value(text).unwrap();
    assert_eq!(object.phase(), Some(Phase::Other));
    assert_eq!(object.limits().to_string(), "readIOPS=7");
    assert_eq!(unknown(object.requires()), ["Tiers"]);
    assert!(object.made().unwrap().is_some());
}

#[test]
fn a_status_answers_the_wish_that_it_has_seen() {
    let mut object = whole();
    object.meta_mut().generation = Some(2);
    assert!(!object.is_answered());
    for (seen, is_answered) in [(1, false), (2, true), (3, true)] {
        object.status.as_mut().unwrap().observed_generation = Some(seen);
        assert_eq!(object.is_answered(), is_answered);
    }
}
