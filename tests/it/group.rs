//! Group snapshots over a socket, on the memory backend.

use std::sync::Arc;

use orlop::backend::LocalPool;
use orlop::backend::memory::Memory;
use orlop::csi::v1;
use orlop::host::simulated::Simulated;
use orlop::volume::Bytes;
use tonic::Code;

use crate::driver::{Driver, NODE};
use crate::requests::{
    MIB, at_least, create, create_block, delete, delete_group, delete_snapshot, get_group, group,
    of_snapshot,
};
use crate::simulated::driver;

#[track_caller]
fn refused<T: std::fmt::Debug>(outcome: Result<T, tonic::Status>, code: Code, naming: &str) {
    let status = outcome.unwrap_err();
    assert_eq!(status.code(), code, "{status:?}");
    assert!(status.message().contains(naming), "{:?} does not say {naming:?}", status.message());
}

async fn volumes(driver: &mut Driver) -> [String; 3] {
    let mut made = async |request| {
        let answer = driver.controller.create_volume(request).await.unwrap().into_inner();
        answer.volume.unwrap().volume_id
    };
    let larger = v1::CreateVolumeRequest { capacity_range: at_least(600 * MIB), ..create("b") };
    [made(create("a")).await, made(larger).await, made(create_block("c")).await]
}

async fn cut(driver: &mut Driver, name: &str, sources: &[&str]) -> v1::VolumeGroupSnapshot {
    let answer = driver.groups.create_volume_group_snapshot(group(name, sources)).await.unwrap();
    answer.into_inner().group_snapshot.unwrap()
}

fn ids(group: &v1::VolumeGroupSnapshot) -> Vec<String> {
    group.snapshots.iter().map(|member| member.snapshot_id.clone()).collect()
}

async fn listed(driver: &mut Driver) -> Vec<v1::Snapshot> {
    let all = driver.controller.list_snapshots(v1::ListSnapshotsRequest::default()).await.unwrap();
    all.into_inner().entries.into_iter().map(|entry| entry.snapshot.unwrap()).collect()
}

/// > The first answer has all members, and a repeat is the same, in whatever order the sources are named and whether
/// > they are still there or not.
#[tokio::test]
async fn a_group_is_one_answer_with_all_its_members_and_a_repeat_is_the_same() {
    let mut driver = driver().await;
    let [a, b, c] = volumes(&mut driver).await;
    let made = cut(&mut driver, "nightly", &[&a, &b, &c]).await;
    assert!(made.ready_to_use && made.creation_time.is_some());
    assert_eq!(made.snapshots.len(), 3);
    for member in &made.snapshots {
        assert_eq!(member.group_snapshot_id, made.group_snapshot_id);
        assert_eq!(member.creation_time, made.creation_time);
        assert!(member.ready_to_use);
        assert_eq!(member.accessible_topology[0].segments["topology.csi.orlop.dev/node"], NODE);
        let size = if member.source_volume_id == b { 600 * MIB } else { 512 * MIB };
        assert_eq!(member.size_bytes, size);
    }
    // In whatever order they are named, and whether the sources are there still or not.
    assert_eq!(cut(&mut driver, "nightly", &[&c, &a, &b]).await, made);
    driver.controller.delete_volume(delete(&a)).await.unwrap();
    assert_eq!(cut(&mut driver, "nightly", &[&b, &c, &a]).await, made);
    let request = get_group(&made.group_snapshot_id, &ids(&made));
    for _twice in 0..2 {
        let found = driver.groups.get_volume_group_snapshot(request.clone()).await.unwrap();
        assert_eq!(found.into_inner().group_snapshot.as_ref(), Some(&made));
    }
    assert_eq!(listed(&mut driver).await, made.snapshots);
}

/// > A member is deleted with its group alone (INVALID_ARGUMENT), and can be restored like any snapshot.
#[tokio::test]
async fn a_member_goes_with_its_group_alone() {
    let mut driver = driver().await;
    let [a, b, _] = volumes(&mut driver).await;
    let made = cut(&mut driver, "nightly", &[&a, &b]).await;
    let members = ids(&made);
    for member in &members {
        let alone = driver.controller.delete_snapshot(delete_snapshot(member)).await;
        refused(alone, Code::InvalidArgument, &made.group_snapshot_id);
    }
    let restore = v1::CreateVolumeRequest {
        volume_content_source: of_snapshot(&members[0]),
        capacity_range: at_least(made.snapshots[0].size_bytes),
        ..create("restored")
    };
    driver.controller.create_volume(restore).await.unwrap();
    let mut backwards = members.clone();
    backwards.reverse();
    for _twice in 0..2 {
        let request = delete_group(&made.group_snapshot_id, &backwards);
        driver.groups.delete_volume_group_snapshot(request).await.unwrap();
    }
    assert_eq!(listed(&mut driver).await, []);
    // They are gone, and so the call that deletes them one by one has nothing to refuse.
    driver.controller.delete_snapshot(delete_snapshot(&members[0])).await.unwrap();
    // The name is free again.
    assert_eq!(ids(&cut(&mut driver, "nightly", &[&b]).await).len(), 1);
}

#[tokio::test]
async fn what_differs_from_the_existing_group_is_already_exists() {
    let mut driver = driver().await;
    let [a, b, c] = volumes(&mut driver).await;
    let made = cut(&mut driver, "nightly", &[&a, &b]).await;
    for other in [vec![&a], vec![&a, &b, &c], vec![&a, &c]] {
        let other: Vec<_> = other.into_iter().map(String::as_str).collect();
        let outcome = driver.groups.create_volume_group_snapshot(group("nightly", &other)).await;
        refused(outcome, Code::AlreadyExists, "of volumes v-");
    }
    assert_eq!(listed(&mut driver).await, made.snapshots);
}

/// > A list of members that is not the group's is INVALID_ARGUMENT, and nothing is deleted.
#[tokio::test]
async fn a_list_of_members_that_is_not_the_groups_is_refused() {
    let mut driver = driver().await;
    let [a, b, c] = volumes(&mut driver).await;
    let made = cut(&mut driver, "nightly", &[&a, &b]).await;
    let other = ids(&cut(&mut driver, "other", &[&c]).await);
    let (id, members) = (made.group_snapshot_id.as_str(), ids(&made));
    let more = [members.clone(), other.clone()].concat();
    let twice = vec![members[0].clone(), members[0].clone()];
    for wrong in [vec![], members[..1].to_vec(), more, other, twice] {
        let found = driver.groups.get_volume_group_snapshot(get_group(id, &wrong)).await;
        refused(found, Code::InvalidArgument, &members[1]);
        let gone = driver.groups.delete_volume_group_snapshot(delete_group(id, &wrong)).await;
        refused(gone, Code::InvalidArgument, &members[1]);
    }
    assert_eq!(listed(&mut driver).await.len(), 3);
    for unknown in ["g-none", "fake-group", "g-00000000000000000000000000000000"] {
        let found = driver.groups.get_volume_group_snapshot(get_group(unknown, &[])).await;
        refused(found, Code::NotFound, unknown);
        driver.groups.delete_volume_group_snapshot(delete_group(unknown, &[])).await.unwrap();
    }
}

#[tokio::test]
async fn what_cannot_be_cut_leaves_nothing() {
    let mut driver = driver().await;
    let [a, b, _] = volumes(&mut driver).await;
    let pinned = driver.locks.try_lock(&b).unwrap();
    let busy = driver.groups.create_volume_group_snapshot(group("nightly", &[&a, &b])).await;
    refused(busy, Code::Aborted, &b);
    drop(pinned);
    let rest = v1::CreateVolumeRequest { capacity_range: at_least(98 * 1024 * MIB), ..create("r") };
    driver.controller.create_volume(rest).await.unwrap();
    let full = driver.groups.create_volume_group_snapshot(group("nightly", &[&a, &b])).await;
    refused(full, Code::FailedPrecondition, "no room");
    let gone = driver.groups.create_volume_group_snapshot(group("nightly", &[&a, "v-none"])).await;
    refused(gone, Code::NotFound, "v-none");
    assert_eq!(listed(&mut driver).await, []);
    assert!(driver.locks.held().is_empty());
}

/// > Volumes of different pools have no instant in common: FAILED_PRECONDITION.
#[tokio::test]
async fn volumes_of_different_pools_have_no_instant_in_common() {
    let host = Simulated::default();
    let pool = |name: &str| {
        LocalPool::new(name, NODE, Arc::new(Memory::new(name, Bytes::gib(10), host.clone())))
    };
    let pools = vec![pool("one"), pool("two")];
    let mut driver = Driver::start_with(pools, Arc::new(host.clone()), 0).await;
    let mut made = Vec::new();
    for name in ["one", "two"] {
        let parameters = [("pool".to_owned(), name.to_owned())].into();
        let request = v1::CreateVolumeRequest { parameters, ..create(name) };
        let answer = driver.controller.create_volume(request).await.unwrap().into_inner();
        made.push(answer.volume.unwrap().volume_id);
    }
    let both = group("nightly", &[&made[0], &made[1]]);
    let outcome = driver.groups.create_volume_group_snapshot(both).await;
    refused(outcome, Code::FailedPrecondition, "different pools");
    // Each alone is a group of its pool.
    for (number, id) in made.iter().enumerate() {
        assert_eq!(cut(&mut driver, &format!("of {number}"), &[id]).await.snapshots.len(), 1);
    }
    assert_eq!(listed(&mut driver).await.len(), 2);
}

#[tokio::test]
async fn the_service_and_its_ability_are_advertised() {
    use v1::group_controller_service_capability::{Type, rpc};
    let mut driver = driver().await;
    let asked = v1::GroupControllerGetCapabilitiesRequest {};
    let answer = driver.groups.group_controller_get_capabilities(asked).await.unwrap();
    let capabilities = answer.into_inner().capabilities;
    let [v1::GroupControllerServiceCapability { r#type: Some(Type::Rpc(only)) }] = &*capabilities
    else {
        panic!("{capabilities:?}")
    };
    assert_eq!(only.r#type(), rpc::Type::CreateDeleteGetVolumeGroupSnapshot);
    let asked = v1::GetPluginCapabilitiesRequest {};
    let answer = driver.identity.get_plugin_capabilities(asked).await.unwrap().into_inner();
    let services: Vec<_> = answer
        .capabilities
        .iter()
        .filter_map(|one| match one.r#type.as_ref()? {
            v1::plugin_capability::Type::Service(service) => Some(service.r#type()),
            v1::plugin_capability::Type::VolumeExpansion(_) => None,
        })
        .collect();
    assert!(services.contains(&v1::plugin_capability::service::Type::GroupControllerService));
}
