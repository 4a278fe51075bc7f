//! The Node service over a socket, on the simulated node.

use orlop::csi::v1;
use orlop::csi::v1::volume_capability::access_mode::Mode;
use tonic::Code;

use crate::driver::{Driver, text};
use crate::requests::{
    MIB, block, create, create_block, delete, expand, file_system, node_expand, publish, stage,
    stats, unpublish, unstage,
};
use crate::simulated::driver;

async fn volume(driver: &mut Driver, request: v1::CreateVolumeRequest) -> String {
    let answer = driver.controller.create_volume(request).await.unwrap().into_inner();
    answer.volume.unwrap().volume_id
}

fn code<T: std::fmt::Debug>(outcome: Result<T, tonic::Status>) -> Code {
    outcome.unwrap_err().code()
}

/// > A call that is made again with the same arguments succeeds again, changes nothing more, and is answered alike.
#[tokio::test]
async fn a_volume_goes_to_its_pod_and_back_and_every_call_may_be_repeated() {
    let mut driver = driver().await;
    let id = volume(&mut driver, create("pvc-1")).await;
    let (staging, target) = (driver.staging("staging"), text(&driver.path("target")));
    for _ in 0..2 {
        driver.node.node_stage_volume(stage(&id, &staging)).await.unwrap();
    }
    for _ in 0..2 {
        driver.node.node_publish_volume(publish(&id, &staging, &target)).await.unwrap();
    }
    assert!(driver.path("target").is_dir());
    let usage = driver.node.node_get_volume_stats(stats(&id, &target)).await.unwrap().into_inner();
    assert_eq!(usage.usage.len(), 2);
    driver.controller.controller_expand_volume(expand(&id, 600 * MIB)).await.unwrap();
    let grown = driver.node.node_expand_volume(node_expand(&id, &target)).await.unwrap();
    assert_eq!(grown.into_inner().capacity_bytes, 600 * MIB);
    assert_eq!(code(driver.controller.delete_volume(delete(&id)).await), Code::FailedPrecondition);
    let early = driver.node.node_unstage_volume(unstage(&id, &staging)).await;
    assert_eq!(code(early), Code::FailedPrecondition);
    for _ in 0..2 {
        driver.node.node_unpublish_volume(unpublish(&id, &target)).await.unwrap();
    }
    assert!(!driver.path("target").exists());
    for _ in 0..2 {
        driver.node.node_unstage_volume(unstage(&id, &staging)).await.unwrap();
    }
    for _ in 0..2 {
        driver.controller.delete_volume(delete(&id)).await.unwrap();
    }
}

/// > Where nothing is mounted at the staging path, as after a reboot, publishing stages first.
#[tokio::test]
async fn publish_without_a_stage_stages_first() {
    let mut driver = driver().await;
    let id = volume(&mut driver, create("pvc-1")).await;
    let (staging, target) = (driver.staging("staging"), text(&driver.path("target")));
    driver.node.node_publish_volume(publish(&id, &staging, &target)).await.unwrap();
    driver.node.node_get_volume_stats(stats(&id, &staging)).await.unwrap();
}

#[tokio::test]
async fn something_else_at_the_staging_path_is_a_failed_precondition() {
    let mut driver = driver().await;
    let one = volume(&mut driver, create("pvc-1")).await;
    let two = volume(&mut driver, create("pvc-2")).await;
    let (staging, target) = (driver.staging("staging"), text(&driver.path("target")));
    driver.node.node_stage_volume(stage(&one, &staging)).await.unwrap();
    let second = driver.node.node_publish_volume(publish(&two, &staging, &target)).await;
    assert_eq!(code(second), Code::FailedPrecondition);
    assert!(!driver.path("target").exists());
    let second = driver.node.node_stage_volume(stage(&two, &staging)).await;
    assert_eq!(code(second), Code::FailedPrecondition);
}

/// > A second path on the node is published for the MULTI modes; otherwise it is FAILED_PRECONDITION. The same path
/// > with other arguments is ALREADY_EXISTS.
#[tokio::test]
async fn the_second_publish_follows_the_access_mode() {
    use Mode::{
        MultiNodeMultiWriter, MultiNodeReaderOnly, SingleNodeMultiWriter, SingleNodeReaderOnly,
        SingleNodeSingleWriter, SingleNodeWriter,
    };
    for (mode, allowed) in [
        (SingleNodeWriter, false),
        (SingleNodeSingleWriter, false),
        (SingleNodeReaderOnly, false),
        (SingleNodeMultiWriter, true),
        (MultiNodeReaderOnly, true),
        (MultiNodeMultiWriter, true),
    ] {
        let mut driver = driver().await;
        let id = volume(&mut driver, create("pvc-1")).await;
        let staging = driver.staging("staging");
        let to = |target: &str| v1::NodePublishVolumeRequest {
            volume_capability: Some(file_system("xfs", mode)),
            ..publish(&id, &staging, target)
        };
        let (one, two) = (text(&driver.path("one")), text(&driver.path("two")));
        driver.node.node_publish_volume(to(&one)).await.unwrap();
        let second = driver.node.node_publish_volume(to(&two)).await;
        if allowed {
            drop(second.unwrap());
        } else {
            assert_eq!(code(second), Code::FailedPrecondition, "{mode:?}");
        }
        let otherwise = v1::NodePublishVolumeRequest { readonly: true, ..to(&one) };
        if !matches!(mode, MultiNodeReaderOnly | SingleNodeReaderOnly) {
            let otherwise = driver.node.node_publish_volume(otherwise).await;
            assert_eq!(code(otherwise), Code::AlreadyExists, "{mode:?}");
        }
    }
}

/// > A volume is used with the file system and access type that it was created with, or not at all
/// > (FAILED_PRECONDITION).
#[tokio::test]
async fn a_volume_is_used_as_it_was_created_or_not_at_all() {
    let mut driver = driver().await;
    let id = volume(&mut driver, create("pvc-1")).await;
    let staging = driver.staging("staging");
    for wrong in [block(), file_system("ext4", Mode::SingleNodeWriter)] {
        let request =
            v1::NodeStageVolumeRequest { volume_capability: Some(wrong), ..stage(&id, &staging) };
        let outcome = driver.node.node_stage_volume(request).await;
        assert_eq!(code(outcome), Code::FailedPrecondition);
    }
}

#[tokio::test]
async fn a_raw_volume_is_a_file_at_its_target() {
    let mut driver = driver().await;
    let id = volume(&mut driver, create_block("pvc-1")).await;
    let (staging, target) = (driver.staging("staging"), text(&driver.path("target")));
    let as_block = |request: v1::NodePublishVolumeRequest| v1::NodePublishVolumeRequest {
        volume_capability: Some(block()),
        ..request
    };
    driver.node.node_publish_volume(as_block(publish(&id, &staging, &target))).await.unwrap();
    assert!(driver.path("target").is_file());
    let usage = driver.node.node_get_volume_stats(stats(&id, &target)).await.unwrap().into_inner();
    assert_eq!(usage.usage[0].total, 512 * MIB);
    driver.node.node_unpublish_volume(unpublish(&id, &target)).await.unwrap();
    driver.node.node_unstage_volume(unstage(&id, &staging)).await.unwrap();
    driver.controller.delete_volume(delete(&id)).await.unwrap();
    assert!(!driver.path("target").exists());
}

/// > Deleting what does not exist is OK, whatever the id looks like.
#[tokio::test]
async fn undoing_what_never_was_succeeds() {
    let mut driver = driver().await;
    let never = text(&driver.path("never"));
    for id in ["v-00000000000000000000000000000000", "fake-vol-id", "../../etc"] {
        driver.node.node_unpublish_volume(unpublish(id, &never)).await.unwrap();
        driver.node.node_unstage_volume(unstage(id, &never)).await.unwrap();
        driver.controller.delete_volume(delete(id)).await.unwrap();
    }
}

/// > Statistics are those of the volume at the path; a path that is not the volume's own is NOT_FOUND.
#[tokio::test]
async fn a_path_that_is_not_the_volumes_own_is_not_found() {
    let mut driver = driver().await;
    let id = volume(&mut driver, create("pvc-1")).await;
    for path in ["some/path", "/nowhere", "/tmp"] {
        let outcome = driver.node.node_get_volume_stats(stats(&id, path)).await;
        assert_eq!(code(outcome), Code::NotFound, "{path}");
        let outcome = driver.node.node_expand_volume(node_expand(&id, path)).await;
        assert_eq!(code(outcome), Code::NotFound, "{path}");
    }
}
