//! The end of a driver that is in the middle of something.

use std::time::{Duration, Instant};

use orlop::csi::v1::controller_client::ControllerClient;
use orlop::csi::v1::node_client::NodeClient;
use orlop::sys::freeze::{freeze, thaw};

use crate::driver::{connect, text};
use crate::process::Process;
use crate::requests::{create, delete, delete_snapshot, snapshot, stage, unstage};
use crate::rig::Ground;
use crate::support::{block_on, in_mount_namespace, mount_at};

const CONFIG: &str =
    "shutdownGrace: 300ms\npools: [{name: default, kind: image, path: ROOM/pool}]\n";

/// A copy can take longer than the grace; its volume must not wait for the next start.
///
/// > A driver that ends leaves nothing frozen.
#[test]
fn nothing_stays_frozen_when_a_driver_ends() {
    in_mount_namespace();
    let ground = Ground::new();
    let staging = ground.path().join("staging");
    std::fs::create_dir(&staging).unwrap();
    let config = CONFIG.replace("ROOM", &text(ground.path()));
    let driver = Process::start(ground.path(), &config, &[("ORLOP_HANG_AT", "cut: frozen")]);
    let id = block_on(async {
        let channel = connect(driver.socket.clone()).await;
        let (mut controller, mut node) =
            (ControllerClient::new(channel.clone()), NodeClient::new(channel));
        let made = controller.create_volume(create("pvc")).await.unwrap().into_inner();
        let id = made.volume.unwrap().volume_id;
        node.node_stage_volume(stage(&id, &text(&staging))).await.unwrap();
        let cut = controller.create_snapshot(snapshot("cut", &id));
        // It hangs with the volume frozen, and its client gives up.
        assert!(tokio::time::timeout(Duration::from_secs(5), cut).await.is_err());
        id
    });
    assert!(driver.said().contains("hanging here"), "{}", driver.said());
    let busy = freeze(&mount_at(&staging)).unwrap_err();
    assert_eq!(busy.errno(), Some(rustix::io::Errno::BUSY), "{busy}");

    let began = Instant::now();
    assert_eq!(driver.stop().code(), Some(1));
    assert!(began.elapsed() < Duration::from_secs(10));
    assert!(!thaw(&mount_at(&staging)).unwrap());
    std::fs::write(staging.join("after"), "written").unwrap();

    // What it left is put in order by the next one.
    let driver = Process::start(ground.path(), &config, &[]);
    block_on(async {
        let channel = connect(driver.socket.clone()).await;
        let (mut controller, mut node) =
            (ControllerClient::new(channel.clone()), NodeClient::new(channel));
        let cut = controller.create_snapshot(snapshot("cut", &id)).await.unwrap().into_inner();
        let cut = cut.snapshot.unwrap().snapshot_id;
        controller.delete_snapshot(delete_snapshot(&cut)).await.unwrap();
        node.node_unstage_volume(unstage(&id, &text(&staging))).await.unwrap();
        controller.delete_volume(delete(&id)).await.unwrap();
    });
    assert!(driver.stop().success());
}
