//! A path that hangs, as one below a dead network mount does: its volume waits, and all others go on, however often
//! the orchestrator comes again.

use std::fs;
use std::path::Path;
use std::time::Duration;

use orlop::csi::v1;
use orlop::csi::v1::controller_client::ControllerClient;
use orlop::csi::v1::node_client::NodeClient;
use orlop::csi::v1::volume_capability::access_mode::Mode;
use tokio::task::{JoinSet, LocalSet};
use tonic::Code;
use tonic::transport::Channel;

use crate::driver::{connect, text};
use crate::hung::Mute;
use crate::process::Process;
use crate::requests::{create, delete, file_system, publish, stage, unpublish, unstage};
use crate::rig::Ground;
use crate::support::{block_on, in_mount_namespace, new_dir};

/// More calls than a driver has threads that may wait for the kernel.
const AGAIN: usize = 100;

const PATIENCE: Duration = Duration::from_secs(20);

/// A volume that is staged, and may be published at a path.
#[derive(Debug, Clone)]
struct Staged {
    node: NodeClient<Channel>,
    controller: ControllerClient<Channel>,
    id: String,
    staging: String,
}

/// > A path that hangs delays its own volume only, however often the call is made again.
#[test]
fn a_path_that_hangs_delays_its_own_volume_alone() {
    in_mount_namespace();
    let ground = Ground::new();
    let dead = new_dir(ground.path(), "dead");
    let config =
        format!("pools: [{{name: default, kind: image, path: {}/pool}}]\n", text(ground.path()));
    let driver = Process::start(ground.path(), &config, &[]);
    // It goes before the driver, which could not be ended while it hangs.
    let mute = Mute::at(&dead, Path::new("elsewhere:/"));
    block_on(LocalSet::new().run_until(async {
        let channel = connect(driver.socket.clone()).await;
        let volume = Staged::new(&channel, ground.path(), "waits").await;
        mute.gate.shut();
        let mut calls = JoinSet::new();
        for number in 0..AGAIN {
            let (volume, target) = (volume.clone(), text(&dead.join("pod/target")));
            calls.spawn_local(async move {
                match number % 2 {
                    0 => volume.publish(&target).await,
                    _ => volume.unpublish(&target).await,
                }
            });
        }
        // All but the one that hangs are told so.
        for _ in 1..AGAIN {
            let ended = tokio::time::timeout(PATIENCE, calls.join_next()).await;
            let answer = ended.expect("it waits with the first").unwrap().unwrap();
            assert_eq!(answer, Err(Code::Aborted));
        }
        let others = whole_life(&channel, ground.path());
        tokio::time::timeout(PATIENCE, others).await.expect("another volume waits, too");

        mute.gate.open();
        // There is no such directory: it ends with an error, or had nothing to do.
        drop(tokio::time::timeout(PATIENCE, calls.join_next()).await.unwrap());
        let target = text(&ground.path().join("target"));
        volume.publish(&target).await.unwrap();
        volume.unpublish(&target).await.unwrap();
        volume.end().await;
    }));
    assert!(driver.stop().success());
}

async fn whole_life(channel: &Channel, room: &Path) {
    let volume = Staged::new(channel, room, "goes on").await;
    let target = text(&room.join("other target"));
    volume.publish(&target).await.unwrap();
    volume.unpublish(&target).await.unwrap();
    volume.end().await;
}

// === impl Staged ===

impl Staged {
    async fn new(channel: &Channel, room: &Path, name: &str) -> Self {
        let (mut node, mut controller) =
            (NodeClient::new(channel.clone()), ControllerClient::new(channel.clone()));
        let capability = file_system("ext4", Mode::SingleNodeWriter);
        let wish =
            v1::CreateVolumeRequest { volume_capabilities: vec![capability], ..create(name) };
        let made = controller.create_volume(wish).await.unwrap().into_inner();
        let id = made.volume.unwrap().volume_id;
        let staging = text(&new_dir(room, &format!("staging of {name}")));
        node.node_stage_volume(stage(&id, &staging)).await.unwrap();
        Self { node, controller, id, staging }
    }

    async fn publish(&self, target: &str) -> Result<(), Code> {
        let request = publish(&self.id, &self.staging, target);
        let answer = self.node.clone().node_publish_volume(request).await;
        answer.map(drop).map_err(|status| status.code())
    }

    async fn unpublish(&self, target: &str) -> Result<(), Code> {
        let request = unpublish(&self.id, target);
        let answer = self.node.clone().node_unpublish_volume(request).await;
        answer.map(drop).map_err(|status| status.code())
    }

    async fn end(mut self) {
        let request = unstage(&self.id, &self.staging);
        self.node.node_unstage_volume(request).await.unwrap();
        fs::remove_dir(&self.staging).unwrap();
        self.controller.delete_volume(delete(&self.id)).await.unwrap();
    }
}
