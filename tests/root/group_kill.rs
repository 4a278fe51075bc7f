//! The process is killed at every step of a group's life; the same call to a new driver finishes the job.

use std::path::Path;

use orlop::csi::v1;
use orlop::csi::v1::controller_client::ControllerClient;
use orlop::csi::v1::group_controller_client::GroupControllerClient;
use orlop::csi::v1::node_client::NodeClient;
use orlop::sys::freeze::thaw;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::driver::{connect, text};
use crate::kill::{assert_clean, clean_up, start, started, wait_for_death};
use crate::process::Process;
use crate::requests::{
    MIB, at_least, create, create_block, delete, delete_group, group, publish, stage, unpublish,
    unstage,
};
use crate::rig::Ground;
use crate::support::{in_mount_namespace, mount_at};

/// A group of a mounted volume and of one that is no device; the steps around it are for it alone.
const STEPS: [&str; 9] = [
    "create",
    "create raw",
    "stage",
    "publish",
    "group",
    "delete group",
    "unpublish",
    "unstage",
    "delete",
];

struct Life<'a> {
    room: &'a Path,
    process: Option<Process>,
    channel: Channel,
    ids: [String; 2],
    group: v1::VolumeGroupSnapshot,
}

impl Life<'_> {
    async fn step(&mut self, step: &str) -> Result<(), Status> {
        let path = |name: &str| text(&self.room.join(name));
        let mut c = ControllerClient::new(self.channel.clone());
        let mut n = NodeClient::new(self.channel.clone());
        let mut g = GroupControllerClient::new(self.channel.clone());
        let [volume, raw] = self.ids.clone();
        match step {
            "create" => {
                let answer = c.create_volume(create("volume")).await?.into_inner();
                self.ids[0] = answer.volume.unwrap().volume_id;
            }
            "create raw" => {
                let capacity_range = at_least(16 * MIB);
                let request = v1::CreateVolumeRequest { capacity_range, ..create_block("raw") };
                let answer = c.create_volume(request).await?.into_inner();
                self.ids[1] = answer.volume.unwrap().volume_id;
            }
            "stage" => drop(n.node_stage_volume(stage(&volume, &path("staging"))).await?),
            "publish" => {
                let request = publish(&volume, &path("staging"), &path("target"));
                drop(n.node_publish_volume(request).await?);
            }
            "group" => {
                let request = group("group", &[&volume, &raw]);
                let answer = g.create_volume_group_snapshot(request).await?.into_inner();
                self.group = answer.group_snapshot.unwrap();
                self.is_whole();
            }
            "delete group" => {
                let members: Vec<_> =
                    self.group.snapshots.iter().map(|one| one.snapshot_id.clone()).collect();
                let request = delete_group(&self.group.group_snapshot_id, &members);
                drop(g.delete_volume_group_snapshot(request).await?);
            }
            "unpublish" => {
                drop(n.node_unpublish_volume(unpublish(&volume, &path("target"))).await?);
            }
            "unstage" => drop(n.node_unstage_volume(unstage(&volume, &path("staging"))).await?),
            "delete" => {
                drop(c.delete_volume(delete(&volume)).await?);
                drop(c.delete_volume(delete(&raw)).await?);
            }
            other => panic!("no step {other:?}"),
        }
        Ok(())
    }

    /// Asserts that both members are there, and that the volume goes on.
    fn is_whole(&self) {
        let kept = std::fs::read_dir(self.room.join("pool/snapshots")).unwrap().count();
        assert_eq!((self.group.snapshots.len(), kept), (2, 2));
        let target = self.room.join("target");
        assert!(!thaw(&mount_at(&target)).unwrap());
        std::fs::write(target.join("words"), "written").unwrap();
    }

    /// Makes the call, and again to a new driver when the old one dies over it.
    async fn survive(&mut self, step: &str, kill: u32) {
        let Err(status) = self.step(step).await else { return };
        let dead = wait_for_death(self.process.take().unwrap()).await;
        assert!(dead, "{step} with a kill at step {kill}: {status:?}");
        let process = start(self.room, &[]);
        self.channel = connect(process.socket.clone()).await;
        self.process = Some(process);
        while let Err(status) = self.step(step).await {
            let wait = status.code() == Code::Aborted;
            assert!(wait, "{step} again after a kill at step {kill}: {status:?}");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}

/// Lives a whole life whose driver dies at the step, and returns whether it died.
async fn live(room: &Path, kill: u32) -> bool {
    std::fs::create_dir_all(room.join("staging")).unwrap();
    let (process, channel) = started(room, kill).await;
    let (ids, group) = Default::default();
    let mut life = Life { room, process: Some(process), channel, ids, group };
    for step in STEPS {
        life.survive(step, kill).await;
    }
    let ended = life.process.take().unwrap().stop();
    let died = std::fs::read_to_string(room.join("log")).unwrap().contains("ending here");
    assert!(ended.success() || died, "{ended}");
    clean_up(room);
    std::fs::remove_file(room.join("log")).unwrap();
    died
}

/// > A driver that is killed at any step leaves the whole group or nothing of it.
#[test]
fn a_group_is_whole_or_gone_after_a_kill_at_any_step() {
    in_mount_namespace();
    let ground = Ground::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut reached = 0;
    for kill in 1.. {
        let died = runtime.block_on(live(ground.path(), kill));
        assert_clean(ground.path(), kill);
        if !died {
            break;
        }
        reached = kill;
    }
    assert!(reached > 40, "only {reached} steps in a whole life");
}
