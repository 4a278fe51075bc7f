//! The driver dies at any step, or its caller goes away: the same call made again finishes the work.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use orlop::csi::v1;
use orlop::csi::v1::node_client::NodeClient;
use orlop::ephemeral::Role;
use tonic::Code;
use tonic::transport::Channel;

use super::rig::{Node, Volume, mounts_at, on_node};
use super::squota::{Ground, on_btrfs};
use crate::driver::connect;
use crate::process::Process;

/// The steps of a publish, and then of an unpublish.
const STEPS: [&str; 10] = [
    "inline intent written",
    "scratch image begun",
    "scratch image formatted",
    "scratch image attached",
    "inline volume made",
    "inline record written",
    "inline volume mounted",
    "inline target unmounted",
    "inline target removed",
    "inline backing removed",
];

/// Those where a quota keeps the limit.
const STEPS_OF_QUOTA: [&str; 10] = [
    "inline intent written",
    "scratch quota set",
    "scratch subvolume made",
    "inline volume made",
    "inline record written",
    "inline volume mounted",
    "inline target unmounted",
    "inline target removed",
    "scratch subvolume removed",
    "inline backing removed",
];

const PATIENCE: Duration = Duration::from_secs(30);

fn socket(node: &Node) -> PathBuf {
    node.path("scratch.sock")
}

/// Starts a driver, and waits until the role is served.
async fn start(node: &Node, variables: &[(&str, &str)]) -> (Process, NodeClient<Channel>) {
    start_at(node, &node.path("scratch"), variables).await
}

async fn start_at(
    node: &Node,
    path: &Path,
    variables: &[(&str, &str)],
) -> (Process, NodeClient<Channel>) {
    let config = format!(
        "kubeletRoot: {}\npools: [{{name: default, kind: memory}}]\nroles: {{scratch: {{endpoint: {}, path: {}, defaultSize: 64Mi, allow: [squota]}}}}\n",
        node.path("kubelet").display(),
        socket(node).display(),
        path.display(),
    );
    let process = Process::start(node.dir.path(), &config, variables);
    let begin = Instant::now();
    while UnixStream::connect(socket(node)).is_err() {
        assert!(begin.elapsed() < PATIENCE, "{}", process.said());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let client = NodeClient::new(connect(socket(node)).await);
    (process, client)
}

fn unpublish(node: &Node, volume: &Volume) -> v1::NodeUnpublishVolumeRequest {
    v1::NodeUnpublishVolumeRequest {
        volume_id: volume.id().to_string(),
        target_path: node.target(volume).display().to_string(),
    }
}

#[test]
fn case_023_a_driver_that_dies_at_any_step_leaves_what_the_next_one_finishes() {
    on_node(Role::Scratch, async |node: Node| {
        for step in STEPS {
            dies_at(&node, &node.path("scratch"), step).await;
            node.is_clean();
        }
    });
}

#[test]
fn case_023_a_driver_that_dies_at_any_step_leaves_neither_a_subvolume_nor_a_group() {
    on_btrfs(async |node: &Node, ground: &mut Ground| {
        for step in STEPS_OF_QUOTA {
            dies_at(node, &ground.scratch(), step).await;
            ground.is_clean(&[&Volume::of(1)]);
            node.is_clean();
        }
    });
}

/// A driver dies at the step of a publish or an unpublish, and the next one finishes both.
async fn dies_at(node: &Node, path: &Path, step: &str) {
    let volume = Volume::of(1);
    let (mut process, mut client) = start_at(node, path, &[("ORLOP_KILL_AT", step)]).await;
    let published = client.node_publish_volume(node.request(&volume)).await;
    if published.is_ok() {
        fs::write(node.target(&volume).join("words"), "here").unwrap();
        client.node_unpublish_volume(unpublish(node, &volume)).await.unwrap_err();
    }
    assert!(process.ends_within(PATIENCE).await, "{step} is never reached");
    let (process, mut client) = start_at(node, path, &[]).await;
    // Whichever call it was is made again.
    if published.is_err() {
        client.node_publish_volume(node.request(&volume)).await.unwrap();
        assert_eq!(mounts_at(&node.target(&volume)), 1, "{step}");
        fs::write(node.target(&volume).join("words"), "here").unwrap();
    }
    client.node_unpublish_volume(unpublish(node, &volume)).await.unwrap();
    assert!(process.stop().success());
}

#[test]
fn case_021_a_caller_that_goes_away_leaves_nothing_half_made() {
    on_node(Role::Scratch, async |node: Node| {
        let (process, mut client) = start(&node, &[]).await;
        for (number, wait) in (1..).zip([0, 1, 2, 4, 8, 16, 32, 64]) {
            let volume = Volume::of(number);
            let publishing = client.node_publish_volume(node.request(&volume));
            drop(tokio::time::timeout(Duration::from_millis(wait), publishing).await);
            let begin = Instant::now();
            loop {
                match client.node_publish_volume(node.request(&volume)).await {
                    Ok(_) => break,
                    Err(why) => assert_eq!(why.code(), Code::Aborted, "{why:?}"),
                }
                assert!(begin.elapsed() < PATIENCE);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert_eq!(mounts_at(&node.target(&volume)), 1);
            client.node_unpublish_volume(unpublish(&node, &volume)).await.unwrap();
        }
        assert!(process.stop().success());
        node.is_clean();
    });
}
