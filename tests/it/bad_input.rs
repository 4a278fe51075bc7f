//! Every mistake a caller can make is told by its code and a sentence that names the thing.

use orlop::csi::v1;
use orlop::csi::v1::volume_capability::access_mode::Mode;
use orlop::csi::v1::volume_capability::{AccessMode, AccessType, MountVolume};
use tonic::Code;
use tonic::Code::{InvalidArgument, NotFound, OutOfRange};

use crate::driver::{Driver, NODE, text};
use crate::requests::{
    MIB, at_least, attach, create, delete, delete_group, delete_snapshot, detach, expand,
    get_group, group, mount, node_expand, publish, snapshot, stage, stats, unpublish, unstage,
};
use crate::simulated::driver;

/// What the call answered must be the code, and its sentence must name the thing.
macro_rules! refused {
    ($call:expr, $code:expr, $naming:expr) => {{
        let status = $call.await.expect_err(stringify!($call));
        assert_eq!(status.code(), $code, "{}: {status:?}", stringify!($call));
        let message = status.message();
        assert!(message.contains($naming), "{message:?} does not say {:?}", $naming);
    }};
}

async fn volume(driver: &mut Driver, name: &str) -> String {
    let answer = driver.controller.create_volume(create(name)).await.unwrap().into_inner();
    answer.volume.unwrap().volume_id
}

fn range(required_bytes: i64, limit_bytes: i64) -> v1::CreateVolumeRequest {
    let capacity_range = Some(v1::CapacityRange { required_bytes, limit_bytes });
    v1::CreateVolumeRequest { capacity_range, ..create("pvc") }
}

fn capable(capabilities: Vec<v1::VolumeCapability>) -> v1::CreateVolumeRequest {
    v1::CreateVolumeRequest { volume_capabilities: capabilities, ..create("pvc") }
}

fn with_parameter(key: &str, value: &str) -> v1::CreateVolumeRequest {
    let parameters = [(key.to_owned(), value.to_owned())].into();
    v1::CreateVolumeRequest { parameters, ..create("pvc") }
}

/// > A request that is refused leaves nothing behind, and the sentence names the field or the thing that is wrong.
#[tokio::test]
async fn create_volume() {
    let mut driver = driver().await;
    let long = "n".repeat(129);
    let fs = |fs: &str| crate::requests::file_system(fs, Mode::SingleNodeWriter);
    let no_mode = v1::VolumeCapability { access_mode: None, ..mount() };
    let odd_mode = v1::VolumeCapability { access_mode: Some(AccessMode { mode: 99 }), ..mount() };
    let no_type = v1::VolumeCapability { access_type: None, ..mount() };
    let flags = MountVolume { mount_flags: vec!["x".repeat(5000)], ..MountVolume::default() };
    let wordy = v1::VolumeCapability { access_type: Some(AccessType::Mount(flags)), ..mount() };
    let elsewhere = v1::Topology {
        segments: [("topology.csi.orlop.dev/node".to_owned(), "mars".to_owned())].into(),
    };
    let far = v1::TopologyRequirement { requisite: vec![elsewhere], preferred: vec![] };
    let mutable = [("XXX_FakeKey".to_owned(), "1".to_owned())];
    let no_source = Some(v1::VolumeContentSource { r#type: None });
    for (request, code, naming) in [
        (create(""), InvalidArgument, "name: is required"),
        (create(&long), InvalidArgument, "129 bytes"),
        (create("a\u{0}"), InvalidArgument, "U+0000"),
        (create("a\u{9f}"), InvalidArgument, "U+009F"),
        (capable(vec![]), InvalidArgument, "volume_capabilities"),
        (capable(vec![no_mode]), InvalidArgument, "access_mode"),
        (capable(vec![odd_mode]), InvalidArgument, "access_mode"),
        (capable(vec![no_type]), InvalidArgument, "mount or block"),
        (capable(vec![fs("ntfs")]), InvalidArgument, "ntfs"),
        (capable(vec![fs("xfs"), fs("ext4")]), InvalidArgument, "different file systems"),
        (capable(vec![mount(), crate::requests::block()]), InvalidArgument, "mount and block"),
        (capable(vec![wordy]), InvalidArgument, "mount_flags"),
        (range(0, 0), InvalidArgument, "capacity_range"),
        (range(-1, 0), InvalidArgument, "required_bytes"),
        (range(0, -1), InvalidArgument, "limit_bytes"),
        (range(2 * MIB, MIB), InvalidArgument, "its own limit"),
        (range(i64::MAX, 0), OutOfRange, "more than any volume can have"),
        (range(512 * MIB + 1, 512 * MIB + 2), OutOfRange, "multiple of 4096"),
        (range(0, 4096), OutOfRange, "above the limit"),
        (with_parameter("colour", "red"), InvalidArgument, "expected one of `pool`, `blockSize`"),
        (with_parameter("pool", "nowhere"), InvalidArgument, "there is: default"),
        (with_parameter("blockSize", "1000"), InvalidArgument, "1000"),
        (
            v1::CreateVolumeRequest { accessibility_requirements: Some(far), ..create("pvc") },
            Code::ResourceExhausted,
            NODE,
        ),
        (
            v1::CreateVolumeRequest { mutable_parameters: mutable.into(), ..create("pvc") },
            InvalidArgument,
            "XXX_FakeKey",
        ),
        (
            v1::CreateVolumeRequest { volume_content_source: no_source, ..create("pvc") },
            InvalidArgument,
            "volume_content_source",
        ),
        (
            v1::CreateVolumeRequest {
                volume_content_source: crate::requests::of_snapshot("non-existing-snapshot-id"),
                ..create("pvc")
            },
            NotFound,
            "non-existing-snapshot-id",
        ),
        (
            v1::CreateVolumeRequest {
                volume_content_source: crate::requests::of_volume("../../etc"),
                ..create("pvc")
            },
            NotFound,
            "../../etc",
        ),
    ] {
        refused!(driver.controller.create_volume(request.clone()), code, naming);
    }
    let all = driver.controller.list_volumes(v1::ListVolumesRequest::default()).await.unwrap();
    assert_eq!(all.into_inner().entries, [], "a refused request left something behind");
}

#[tokio::test]
async fn the_other_calls_of_the_controller() {
    let mut driver = driver().await;
    let id = volume(&mut driver, "pvc").await;
    let c = &mut driver.controller;
    refused!(c.delete_volume(delete("")), InvalidArgument, "volume_id");
    refused!(c.controller_publish_volume(attach("", NODE)), InvalidArgument, "volume_id");
    refused!(c.controller_publish_volume(attach(&id, "")), InvalidArgument, "node_id");
    let bare = v1::ControllerPublishVolumeRequest { volume_capability: None, ..attach(&id, NODE) };
    refused!(c.controller_publish_volume(bare), InvalidArgument, "volume_capability");
    refused!(c.controller_unpublish_volume(detach("", NODE)), InvalidArgument, "volume_id");
    refused!(c.create_snapshot(snapshot("", &id)), InvalidArgument, "name");
    refused!(c.create_snapshot(snapshot("s", "")), InvalidArgument, "source_volume_id");
    refused!(c.create_snapshot(snapshot("s", "v-none")), NotFound, "v-none");
    let odd = v1::CreateSnapshotRequest {
        parameters: [("depth".to_owned(), "1".to_owned())].into(),
        ..snapshot("s", &id)
    };
    refused!(c.create_snapshot(odd), InvalidArgument, "depth");
    refused!(c.delete_snapshot(delete_snapshot("")), InvalidArgument, "snapshot_id");
    let nothing = v1::GetSnapshotRequest::default();
    refused!(c.get_snapshot(nothing), InvalidArgument, "snapshot_id");
    let nothing = v1::ControllerGetVolumeRequest::default();
    refused!(c.controller_get_volume(nothing), InvalidArgument, "volume_id");
    refused!(c.controller_expand_volume(expand("", MIB)), InvalidArgument, "volume_id");
    refused!(c.controller_expand_volume(expand("v-none", MIB)), NotFound, "v-none");
    let bare = v1::ControllerExpandVolumeRequest { capacity_range: None, ..expand(&id, MIB) };
    refused!(c.controller_expand_volume(bare), InvalidArgument, "capacity_range");
    let huge = expand(&id, i64::MAX - 4096);
    refused!(c.controller_expand_volume(huge), OutOfRange, "has no room");
    let nothing = v1::ValidateVolumeCapabilitiesRequest::default();
    refused!(c.validate_volume_capabilities(nothing.clone()), InvalidArgument, "volume_cap");
    let bare = v1::ValidateVolumeCapabilitiesRequest { volume_id: id.clone(), ..nothing };
    refused!(c.validate_volume_capabilities(bare.clone()), InvalidArgument, "volume_cap");
    let unknown = v1::ValidateVolumeCapabilitiesRequest {
        volume_id: "fake-vol-id".to_owned(),
        volume_capabilities: vec![mount()],
        ..bare
    };
    refused!(c.validate_volume_capabilities(unknown), NotFound, "fake-vol-id");
    let bad = v1::ListSnapshotsRequest { starting_token: "?".into(), ..Default::default() };
    refused!(c.list_snapshots(bad), Code::Aborted, "?");
}

#[tokio::test]
async fn the_calls_of_the_node() {
    let mut driver = driver().await;
    let id = volume(&mut driver, "pvc").await;
    let (s, t) = (driver.staging("staging"), text(&driver.path("target")));
    let n = &mut driver.node;
    refused!(n.node_stage_volume(stage("", &s)), InvalidArgument, "volume_id");
    refused!(n.node_stage_volume(stage(&id, "")), InvalidArgument, "staging_target_path");
    refused!(n.node_stage_volume(stage(&id, "some/path")), InvalidArgument, "relative");
    refused!(n.node_stage_volume(stage(&id, "/a/../../etc")), InvalidArgument, "..");
    refused!(n.node_stage_volume(stage(&id, "/a\0")), InvalidArgument, "NUL");
    refused!(n.node_stage_volume(stage("fake-vol-id", &s)), NotFound, "fake-vol-id");
    let bare = v1::NodeStageVolumeRequest { volume_capability: None, ..stage(&id, &s) };
    refused!(n.node_stage_volume(bare), InvalidArgument, "volume_capability");
    refused!(n.node_unstage_volume(unstage("", &s)), InvalidArgument, "volume_id");
    refused!(n.node_unstage_volume(unstage(&id, "")), InvalidArgument, "staging_target_path");
    refused!(n.node_publish_volume(publish("", &s, &t)), InvalidArgument, "volume_id");
    refused!(n.node_publish_volume(publish(&id, &s, "")), InvalidArgument, "target_path");
    refused!(n.node_publish_volume(publish(&id, &s, "t")), InvalidArgument, "target_path");
    refused!(n.node_publish_volume(publish(&id, "", &t)), Code::FailedPrecondition, "staging");
    refused!(n.node_publish_volume(publish("v-none", &s, &t)), NotFound, "v-none");
    let bare = v1::NodePublishVolumeRequest { volume_capability: None, ..publish(&id, &s, &t) };
    refused!(n.node_publish_volume(bare), InvalidArgument, "volume_capability");
    let orphan = text(&driver.room.path().join("no/parent"));
    refused!(n.node_publish_volume(publish(&id, &s, &orphan)), InvalidArgument, "parent");
    refused!(n.node_unpublish_volume(unpublish("", &t)), InvalidArgument, "volume_id");
    refused!(n.node_unpublish_volume(unpublish(&id, "")), InvalidArgument, "target_path");
    refused!(n.node_get_volume_stats(stats("", &t)), InvalidArgument, "volume_id");
    refused!(n.node_get_volume_stats(stats(&id, "")), InvalidArgument, "volume_path");
    refused!(n.node_get_volume_stats(stats("v-none", &t)), NotFound, "v-none");
    refused!(n.node_expand_volume(node_expand("", &t)), InvalidArgument, "volume_id");
    refused!(n.node_expand_volume(node_expand(&id, "")), InvalidArgument, "volume_path");
    let negative =
        v1::NodeExpandVolumeRequest { capacity_range: at_least(-5), ..node_expand(&id, &t) };
    refused!(n.node_expand_volume(negative), InvalidArgument, "required_bytes");
    // The failed publish to a target without a parent has taken its own stage back.
    refused!(n.node_get_volume_stats(stats(&id, &s)), NotFound, &*id);
}

/// Nothing that could be a path, and nothing else that no id of ours is, gets any further than its name.
#[tokio::test]
async fn ids_that_none_of_ours_can_be() {
    let mut driver = driver().await;
    let id = volume(&mut driver, "pvc").await;
    let (staging, target) = (driver.staging("staging"), text(&driver.path("target")));
    let long = "v".repeat(64);
    for odd in ["..", "../volumes", "a/b", "/", "v-\0", "v-\n", "V-ABC", "v-\u{e4}", &long] {
        let c = &mut driver.controller;
        let named: String = odd.escape_debug().collect();
        let get = v1::ControllerGetVolumeRequest { volume_id: odd.to_owned() };
        refused!(c.controller_get_volume(get), NotFound, &*named);
        refused!(c.controller_publish_volume(attach(odd, NODE)), NotFound, &*named);
        refused!(c.controller_expand_volume(expand(odd, MIB)), NotFound, &*named);
        refused!(c.create_snapshot(snapshot("s", odd)), NotFound, &*named);
        let get = v1::GetSnapshotRequest { snapshot_id: odd.to_owned(), ..Default::default() };
        refused!(c.get_snapshot(get), NotFound, &*named);
        let copy = v1::CreateVolumeRequest {
            volume_content_source: crate::requests::of_volume(odd),
            ..create("copy")
        };
        refused!(c.create_volume(copy), NotFound, &*named);
        // What cannot exist is gone.
        c.delete_volume(delete(odd)).await.unwrap();
        c.delete_snapshot(delete_snapshot(odd)).await.unwrap();
        c.controller_unpublish_volume(detach(odd, NODE)).await.unwrap();
        let n = &mut driver.node;
        refused!(n.node_stage_volume(stage(odd, &staging)), NotFound, &*named);
        refused!(n.node_publish_volume(publish(odd, &staging, &target)), NotFound, &*named);
        refused!(n.node_expand_volume(node_expand(odd, &target)), NotFound, &*named);
        refused!(n.node_get_volume_stats(stats(odd, &target)), NotFound, &*named);
        n.node_unstage_volume(unstage(odd, &staging)).await.unwrap();
        n.node_unpublish_volume(unpublish(odd, &target)).await.unwrap();
        let g = &mut driver.groups;
        refused!(g.create_volume_group_snapshot(group("g", &[&id, odd])), NotFound, &*named);
    }
}

#[tokio::test]
async fn the_calls_of_the_group_controller() {
    let mut driver = driver().await;
    let id = volume(&mut driver, "pvc").await;
    let long = "n".repeat(129);
    let g = &mut driver.groups;
    refused!(g.create_volume_group_snapshot(group("", &[&id])), InvalidArgument, "name");
    refused!(g.create_volume_group_snapshot(group(&long, &[&id])), InvalidArgument, "129 bytes");
    refused!(g.create_volume_group_snapshot(group("g", &[])), InvalidArgument, "at least one");
    refused!(g.create_volume_group_snapshot(group("g", &[&id, ""])), InvalidArgument, "empty id");
    let twice = group("g", &[&id, &id]);
    refused!(g.create_volume_group_snapshot(twice), InvalidArgument, "more than once");
    let unknown = group("g", &[&id, "fake-vol-id"]);
    refused!(g.create_volume_group_snapshot(unknown), NotFound, "fake-vol-id");
    let odd = v1::CreateVolumeGroupSnapshotRequest {
        parameters: [("depth".to_owned(), "1".to_owned())].into(),
        ..group("g", &[&id])
    };
    refused!(g.create_volume_group_snapshot(odd), InvalidArgument, "depth");
    refused!(g.delete_volume_group_snapshot(delete_group("", &[])), InvalidArgument, "is required");
    refused!(g.get_volume_group_snapshot(get_group("", &[])), InvalidArgument, "is required");
}
