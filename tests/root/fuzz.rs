//! Any request at all, to the driver as a process on a real pool and the real kernel.

use std::collections::BTreeMap;
use std::path::Path;

use orlop::csi::v1::controller_client::ControllerClient;
use orlop::csi::v1::group_controller_client::GroupControllerClient;
use orlop::csi::v1::node_client::NodeClient;
use orlop::csi::v1::{ListSnapshotsRequest, ListVolumesRequest};
use tonic::transport::Channel;

use crate::driver::{connect, text};
use crate::fuzzer::{self, Requests};
use crate::left::assert_nothing_left;
use crate::process::Process;
use crate::requests::{delete, delete_group, delete_snapshot, unpublish, unstage};
use crate::rig::Ground;
use crate::support::{block_on, in_mount_namespace};

/// A request to the kernel costs as much as so many to the memory pool.
const SHARE: usize = 20;

/// Whatever a request may name below the room.
const PATHS: [&str; 8] = ["b/deep", "a", "b", "cut", "file", "volume", "snapshot", "raw"];

const CONFIG: &str = "attach: on\npools: [{name: default, kind: image, path: ROOM/pool, provisioning: thin, ratio: 1000}]\n";

#[test]
fn no_request_makes_the_driver_panic_or_fail_inside_on_the_kernel() {
    in_mount_namespace();
    let ground = Ground::new();
    fuzzer::ask_lists(file!(), SHARE, |requests| answer(ground.path(), requests));
}

fn answer(room: &Path, requests: &Requests) {
    // Paths of requests lead nowhere else, so that nothing can be mounted over the pool.
    let paths = room.join("paths");
    for name in ["a", "b"] {
        std::fs::create_dir_all(paths.join(name)).unwrap();
    }
    let process = Process::start(room, &CONFIG.replace("ROOM", &text(room)), &[]);
    block_on(async {
        let mut channel = connect(process.socket.clone()).await;
        fuzzer::furnish(&channel).await;
        fuzzer::ask(&mut channel, &paths, requests).await;
        fuzzer::is_alive(&channel).await;
        clean(&channel, &paths).await;
    });
    let said = process.said();
    assert!(!said.contains("panicked"), "{said}");
    assert!(process.stop().success());
    // Its last work in the background is the next one's.
    let next = Process::start(room, &CONFIG.replace("ROOM", &text(room)), &[]);
    assert_nothing_left(room, &["pool"]);
    assert!(next.stop().success());
    std::fs::remove_file(room.join("log")).unwrap();
}

/// Undoes whatever came of the requests, as an orchestrator that knows nothing would: every volume at every path.
async fn clean(channel: &Channel, paths: &Path) {
    let (mut controller, mut node) =
        (ControllerClient::new(channel.clone()), NodeClient::new(channel.clone()));
    let all = controller.list_volumes(ListVolumesRequest::default()).await.unwrap().into_inner();
    let volumes: Vec<_> =
        all.entries.into_iter().map(|entry| entry.volume.unwrap().volume_id).collect();
    // One volume may be published inside another: each round uncovers some.
    for _round in 0..3 {
        for (id, path) in volumes.iter().flat_map(|id| PATHS.map(|path| (id, path))) {
            // The path may be another volume's, which is refused.
            drop(node.node_unpublish_volume(unpublish(id, &text(&paths.join(path)))).await);
        }
        for (id, path) in volumes.iter().flat_map(|id| PATHS.map(|path| (id, path))) {
            drop(node.node_unstage_volume(unstage(id, &text(&paths.join(path)))).await);
        }
    }
    for id in &volumes {
        controller.delete_volume(delete(id)).await.unwrap();
    }
    delete_snapshots(channel).await;
}

async fn delete_snapshots(channel: &Channel) {
    let mut controller = ControllerClient::new(channel.clone());
    let all = controller.list_snapshots(ListSnapshotsRequest::default()).await.unwrap();
    let snapshots = all.into_inner().entries.into_iter().map(|entry| entry.snapshot.unwrap());
    let mut groups = BTreeMap::<String, Vec<String>>::new();
    for snapshot in snapshots {
        groups.entry(snapshot.group_snapshot_id).or_default().push(snapshot.snapshot_id);
    }
    for id in groups.remove("").unwrap_or_default() {
        controller.delete_snapshot(delete_snapshot(&id)).await.unwrap();
    }
    for (id, members) in groups {
        let mut groups = GroupControllerClient::new(channel.clone());
        groups.delete_volume_group_snapshot(delete_group(&id, &members)).await.unwrap();
    }
}
