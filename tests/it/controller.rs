//! The Controller service over a socket, on the memory backend.

use orlop::csi::v1;
use orlop::csi::v1::volume_capability::access_mode::Mode;
use tonic::Code;

use crate::driver::NODE;
use crate::requests::{
    MIB, at_least, attach, create, create_block, delete, delete_snapshot, detach, expand,
    file_system, of_snapshot, of_volume, snapshot,
};
use crate::simulated::driver;

/// Asserts the code and that the sentence names what it should.
#[track_caller]
fn refused<T: std::fmt::Debug>(outcome: Result<T, tonic::Status>, code: Code, naming: &str) {
    let status = outcome.unwrap_err();
    assert_eq!(status.code(), code, "{status:?}");
    assert!(status.message().contains(naming), "{:?} does not say {naming:?}", status.message());
    assert!(status.details().is_empty());
}

async fn made(driver: &mut crate::driver::Driver, request: v1::CreateVolumeRequest) -> v1::Volume {
    driver.controller.create_volume(request).await.unwrap().into_inner().volume.unwrap()
}

#[tokio::test]
async fn a_volume_is_what_was_asked_and_a_repeat_is_the_same_answer() {
    let mut driver = driver().await;
    let volume = made(&mut driver, create("pvc-1")).await;
    assert_eq!(volume.capacity_bytes, 512 * MIB);
    assert_eq!(volume.accessible_topology[0].segments["topology.csi.orlop.dev/node"], NODE);
    assert!(volume.volume_context.is_empty());
    assert_eq!(made(&mut driver, create("pvc-1")).await, volume);
    for _ in 0..2 {
        driver.controller.delete_volume(delete(&volume.volume_id)).await.unwrap();
    }
}

/// > A name that exists with another size, file system, access type, block size or source is ALREADY_EXISTS, and what
/// > exists stays as it is.
#[tokio::test]
async fn what_differs_from_the_existing_volume_is_already_exists() {
    let mut driver = driver().await;
    let original = made(&mut driver, create("pvc-1")).await;
    let other_fs = v1::CreateVolumeRequest {
        volume_capabilities: vec![file_system("btrfs", Mode::SingleNodeWriter)],
        ..create("pvc-1")
    };
    let larger =
        v1::CreateVolumeRequest { capacity_range: at_least(1024 * MIB), ..create("pvc-1") };
    let huge =
        v1::CreateVolumeRequest { capacity_range: at_least(i64::MAX - 4096), ..create("pvc-1") };
    let copy = v1::CreateVolumeRequest {
        volume_content_source: of_volume(&original.volume_id),
        ..create("pvc-1")
    };
    let other_blocks = v1::CreateVolumeRequest {
        parameters: [("blockSize".to_owned(), "512".to_owned())].into(),
        ..create("pvc-1")
    };
    for (request, naming) in [
        (other_fs, "it holds xfs, not btrfs"),
        (larger, "512 MiB, not at least 1 GiB"),
        (huge, "not at least"),
        (copy, "made empty, not from volume"),
        (other_blocks, "4096-byte blocks, not 512-byte"),
        (create_block("pvc-1"), "it holds xfs, not raw blocks"),
    ] {
        refused(driver.controller.create_volume(request).await, Code::AlreadyExists, naming);
    }
}

/// > A volume that was expanded since is still the answer to its first request.
#[tokio::test]
async fn an_expanded_volume_still_answers_its_first_request() {
    let mut driver = driver().await;
    let volume = made(&mut driver, create("pvc-1")).await;
    for _ in 0..2 {
        let answer =
            driver.controller.controller_expand_volume(expand(&volume.volume_id, 700 * MIB));
        let answer = answer.await.unwrap().into_inner();
        assert_eq!((answer.capacity_bytes, answer.node_expansion_required), (700 * MIB, true));
    }
    assert_eq!(made(&mut driver, create("pvc-1")).await.capacity_bytes, 700 * MIB);
}

/// > A full pool is RESOURCE_EXHAUSTED to who creates, OUT_OF_RANGE to who expands, and FAILED_PRECONDITION to who
/// > snapshots.
#[tokio::test]
async fn a_full_pool_means_another_thing_to_each_caller() {
    let mut driver = driver().await;
    let volume = made(&mut driver, create("pvc-1")).await;
    let rest =
        v1::CreateVolumeRequest { capacity_range: at_least(99 * 1024 * MIB), ..create("pvc-2") };
    made(&mut driver, rest).await;
    let more = v1::CreateVolumeRequest { capacity_range: at_least(600 * MIB), ..create("pvc-3") };
    refused(driver.controller.create_volume(more).await, Code::ResourceExhausted, "pool default");
    let id = &volume.volume_id;
    let larger = driver.controller.controller_expand_volume(expand(id, 2048 * MIB)).await;
    refused(larger, Code::OutOfRange, "1536 MiB asked, 512 MiB free");
    driver.controller.create_snapshot(snapshot("s", id)).await.unwrap();
    let second = driver.controller.create_snapshot(snapshot("s2", id)).await;
    refused(second, Code::FailedPrecondition, "no room");
}

/// > A copy has the size, the content and the block size of its source where nothing else is asked for; the repeat of
/// > an answered call is answered though the source is gone.
#[tokio::test]
async fn copies_take_over_size_and_content_and_outlive_their_source() {
    let mut driver = driver().await;
    let source = made(&mut driver, create("pvc-1")).await;
    let cut = driver.controller.create_snapshot(snapshot("snap", &source.volume_id)).await.unwrap();
    let cut = cut.into_inner().snapshot.unwrap();
    assert!(cut.ready_to_use && cut.creation_time.is_some());
    assert_eq!((cut.size_bytes, &cut.source_volume_id), (512 * MIB, &source.volume_id));
    let restored = v1::CreateVolumeRequest {
        capacity_range: None,
        volume_content_source: of_snapshot(&cut.snapshot_id),
        ..create("restored")
    };
    let volume = made(&mut driver, restored.clone()).await;
    assert_eq!(volume.capacity_bytes, 512 * MIB);
    assert_eq!(volume.content_source, restored.volume_content_source);
    driver.controller.delete_snapshot(delete_snapshot(&cut.snapshot_id)).await.unwrap();
    driver.controller.delete_volume(delete(&source.volume_id)).await.unwrap();
    // The repeat is answered although the source is gone.
    assert_eq!(made(&mut driver, restored).await, volume);
    let again = v1::CreateVolumeRequest {
        volume_content_source: of_snapshot(&cut.snapshot_id),
        ..create("again")
    };
    refused(driver.controller.create_volume(again).await, Code::NotFound, &cut.snapshot_id);
}

/// > A copy may be larger than its source, never smaller (OUT_OF_RANGE), and is of the same file system and access
/// > type (INVALID_ARGUMENT).
#[tokio::test]
async fn a_copy_that_its_source_cannot_become_is_refused() {
    let mut driver = driver().await;
    let source = made(&mut driver, create("pvc-1")).await;
    let from = of_volume(&source.volume_id);
    let smaller = v1::CreateVolumeRequest { capacity_range: at_least(400 * MIB), ..create("c") };
    let other_fs = v1::CreateVolumeRequest {
        volume_capabilities: vec![file_system("ext4", Mode::SingleNodeWriter)],
        ..create("c")
    };
    for (request, code, naming) in [
        (smaller, Code::OutOfRange, "a copy of 512 MiB cannot be 400 MiB"),
        (other_fs, Code::InvalidArgument, "it holds xfs, not ext4"),
        (create_block("c"), Code::InvalidArgument, "it holds xfs, not raw blocks"),
    ] {
        let request = v1::CreateVolumeRequest { volume_content_source: from.clone(), ..request };
        refused(driver.controller.create_volume(request).await, code, naming);
    }
}

/// > A volume is attached to a node once; asked for otherwise on that node it is ALREADY_EXISTS, an unknown node or
/// > volume is NOT_FOUND, and detaching what is not attached is OK.
#[tokio::test]
async fn fencing_lets_one_node_have_a_single_node_volume() {
    let mut driver = driver().await;
    let volume = made(&mut driver, create("pvc-1")).await;
    let id = &volume.volume_id;
    for _ in 0..2 {
        driver.controller.controller_publish_volume(attach(id, NODE)).await.unwrap();
    }
    let read_only = v1::ControllerPublishVolumeRequest { readonly: true, ..attach(id, NODE) };
    let outcome = driver.controller.controller_publish_volume(read_only).await;
    refused(outcome, Code::AlreadyExists, "attached to node n1 writable");
    let stranger = driver.controller.controller_publish_volume(attach(id, "n2")).await;
    refused(stranger, Code::NotFound, "node n2");
    let nobody = driver.controller.controller_publish_volume(attach("v-none", NODE)).await;
    refused(nobody, Code::NotFound, "v-none");
    for node in [NODE, "", "n9"] {
        driver.controller.controller_unpublish_volume(detach(id, node)).await.unwrap();
    }
}

/// > A node never has more volumes attached than `maxVolumesPerNode`: one more is RESOURCE_EXHAUSTED.
#[tokio::test]
async fn a_node_gets_no_more_volumes_than_its_limit() {
    let mut driver = driver().await;
    let mut ids = Vec::new();
    for number in 0..3 {
        ids.push(made(&mut driver, create(&format!("pvc-{number}"))).await.volume_id);
    }
    for id in &ids[..2] {
        driver.controller.controller_publish_volume(attach(id, NODE)).await.unwrap();
    }
    let third = driver.controller.controller_publish_volume(attach(&ids[2], NODE)).await;
    refused(third, Code::ResourceExhausted, "2 volumes attached");
    driver.controller.controller_unpublish_volume(detach(&ids[0], NODE)).await.unwrap();
    driver.controller.controller_publish_volume(attach(&ids[2], NODE)).await.unwrap();
}

/// > A list that is read in pages has each entry once, in the order of ids; a token that was never given out is
/// > ABORTED.
#[tokio::test]
async fn pages_hold_each_entry_once_and_bad_tokens_are_aborted() {
    let mut driver = driver().await;
    for number in 0..5 {
        made(&mut driver, create(&format!("pvc-{number}"))).await;
    }
    let mut seen = Vec::new();
    let mut starting_token = String::new();
    loop {
        let request = v1::ListVolumesRequest { max_entries: 2, starting_token };
        let page = driver.controller.list_volumes(request).await.unwrap().into_inner();
        seen.extend(page.entries.into_iter().map(|entry| entry.volume.unwrap().volume_id));
        if page.next_token.is_empty() {
            break;
        }
        starting_token = page.next_token;
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.is_sorted());
    let bad = v1::ListVolumesRequest { max_entries: 0, starting_token: "invalid-token".into() };
    refused(driver.controller.list_volumes(bad).await, Code::Aborted, "invalid-token");
    let negative = v1::ListVolumesRequest { max_entries: -1, ..Default::default() };
    refused(driver.controller.list_volumes(negative).await, Code::InvalidArgument, "-1");
}

/// > On one volume or snapshot one call works at a time; a second one is ABORTED at once. Reads wait for nobody.
#[tokio::test]
async fn a_busy_id_is_aborted_and_reads_wait_for_nothing() {
    let mut driver = driver().await;
    let volume = made(&mut driver, create("pvc-1")).await;
    let guard = driver.locks.try_lock(&volume.volume_id).unwrap();
    let outcome = driver.controller.delete_volume(delete(&volume.volume_id)).await;
    refused(outcome, Code::Aborted, "still running");
    refused(driver.controller.create_volume(create("pvc-1")).await, Code::Aborted, "still running");
    driver.controller.list_volumes(v1::ListVolumesRequest::default()).await.unwrap();
    drop(guard);
    driver.controller.delete_volume(delete(&volume.volume_id)).await.unwrap();
}

/// > Where a volume is attached is told as it is now.
#[tokio::test]
async fn attachments_are_told_as_they_are() {
    let mut driver = driver().await;
    let volume = made(&mut driver, create("pvc-1")).await;
    let id = &volume.volume_id;
    for attached in [vec![], vec![NODE.to_owned()], vec![]] {
        if attached.is_empty() {
            driver.controller.controller_unpublish_volume(detach(id, NODE)).await.unwrap();
        } else {
            driver.controller.controller_publish_volume(attach(id, NODE)).await.unwrap();
        }
        let request = v1::ControllerGetVolumeRequest { volume_id: id.clone() };
        let found = driver.controller.controller_get_volume(request).await.unwrap().into_inner();
        assert_eq!(found.volume.as_ref(), Some(&volume));
        assert_eq!(found.status.unwrap().published_node_ids, attached);
        let all = driver.controller.list_volumes(v1::ListVolumesRequest::default()).await.unwrap();
        let entry = all.into_inner().entries.pop().unwrap();
        assert_eq!(entry.status.unwrap().published_node_ids, attached);
    }
    let nobody = v1::ControllerGetVolumeRequest { volume_id: "v-none".to_owned() };
    refused(driver.controller.controller_get_volume(nobody).await, Code::NotFound, "v-none");
}

fn on(node: &str) -> Option<v1::TopologyRequirement> {
    let segments = [("topology.csi.orlop.dev/node".to_owned(), node.to_owned())].into();
    let term = vec![v1::Topology { segments }];
    Some(v1::TopologyRequirement { requisite: term.clone(), preferred: term })
}

/// > A snapshot says where it can be restored, unless the request left no choice, and is made nowhere else
/// > (RESOURCE_EXHAUSTED).
#[tokio::test]
async fn a_snapshot_says_where_it_can_be_restored_and_is_made_nowhere_else() {
    let mut driver = driver().await;
    let source = made(&mut driver, create("pvc-1")).await.volume_id;
    let request = |node: &str| v1::CreateSnapshotRequest {
        accessibility_requirements: on(node),
        ..snapshot("snap", &source)
    };
    let far = driver.controller.create_snapshot(request("mars")).await;
    refused(far, Code::ResourceExhausted, NODE);
    // Who names this place alone is not told where; everybody else is.
    let cut = driver.controller.create_snapshot(request(NODE)).await.unwrap();
    assert_eq!(cut.into_inner().snapshot.unwrap().accessible_topology, []);
    let mut here_or_there = request(NODE);
    here_or_there
        .accessibility_requirements
        .as_mut()
        .unwrap()
        .requisite
        .extend(on("n2").unwrap().preferred);
    let cut = driver.controller.create_snapshot(here_or_there).await.unwrap();
    let cut = cut.into_inner().snapshot.unwrap();
    assert_eq!(cut.accessible_topology, on(NODE).unwrap().requisite);
    let again = driver.controller.create_snapshot(snapshot("snap", &source)).await.unwrap();
    assert_eq!(again.into_inner().snapshot.as_ref(), Some(&cut));
    // It exists, and is usable from nowhere else.
    let far = driver.controller.create_snapshot(request("mars")).await;
    refused(far, Code::ResourceExhausted, NODE);
    let snapshot_id = cut.snapshot_id.clone();
    let request = v1::GetSnapshotRequest { snapshot_id, ..Default::default() };
    let found = driver.controller.get_snapshot(request).await.unwrap().into_inner();
    assert_eq!(found.snapshot.as_ref(), Some(&cut));
    let all = driver.controller.list_snapshots(v1::ListSnapshotsRequest::default()).await.unwrap();
    assert_eq!(all.into_inner().entries.pop().unwrap().snapshot, Some(cut));
    let snapshot_id = "reallyfakesnapshotid".to_owned();
    let nobody = v1::GetSnapshotRequest { snapshot_id, ..Default::default() };
    refused(driver.controller.get_snapshot(nobody).await, Code::NotFound, "reallyfake");
}
