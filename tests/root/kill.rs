//! The process is killed at every step that changes the disk; a new one finishes the job.
//!
//! One life of a volume and its copies is lived again and again; in the n-th life the driver dies at the n-th
//! step it reaches. The call that died is then made again to a new driver, as an orchestrator does.

use std::path::Path;

use orlop::csi::v1;
use orlop::csi::v1::controller_client::ControllerClient;
use orlop::csi::v1::node_client::NodeClient;
use orlop::sys::mountinfo::MountTable;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::driver::{NODE, connect, text};
use crate::process::Process;
use crate::requests::{
    MIB, at_least, attach, create, delete, delete_snapshot, detach, expand, modify, node_expand,
    of_snapshot, of_volume, publish, snapshot, stage, unpublish, unstage,
};
use crate::rig::{Ground, loops_below};
use crate::support::in_mount_namespace;

const STEPS: [&str; 23] = [
    "create",
    "attach",
    "stage",
    "publish",
    "write",
    "modify",
    "snapshot",
    "clone",
    "restore",
    "expand",
    "grow",
    "stage restored",
    "publish restored",
    "compare",
    "unpublish restored",
    "unstage restored",
    "unpublish",
    "unstage",
    "detach",
    "delete snapshot",
    "delete clone",
    "delete restored",
    "delete",
];

/// How long a driver may take to remove what one before it has left.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// A life and its driver, which may be the one that dies or the one that comes after it.
struct Life<'a> {
    room: &'a Path,
    process: Option<Process>,
    controller: ControllerClient<Channel>,
    node: NodeClient<Channel>,
    ids: [String; 4],
}

const CONFIG: &str = "attach: on\npools: [{name: default, kind: image, path: ROOM/pool, provisioning: thin, ratio: 10}]\n";

pub(crate) fn start(room: &Path, variables: &[(&str, &str)]) -> Process {
    let config = CONFIG.replace("ROOM", &room.display().to_string());
    Process::start(room, &config, variables)
}

/// Connects to the driver, or to its successor when it dies while it starts.
pub(crate) async fn started(room: &Path, step: u32) -> (Process, Channel) {
    let mut process = start(room, &[("ORLOP_KILL_AT_STEP", &step.to_string())]);
    if process.ended().is_some() {
        process = start(room, &[]);
    }
    let channel = connect(process.socket.clone()).await;
    (process, channel)
}

impl Life<'_> {
    async fn step(&mut self, step: &str) -> Result<(), Status> {
        let path = |name: &str| text(&self.room.join(name));
        let [volume, cut, restored, clone] = self.ids.clone();
        let (c, n) = (&mut self.controller, &mut self.node);
        match step {
            "create" => {
                let answer = c.create_volume(create("volume")).await?.into_inner();
                self.ids[0] = answer.volume.unwrap().volume_id;
            }
            "attach" => drop(c.controller_publish_volume(attach(&volume, NODE)).await?),
            "stage" => drop(n.node_stage_volume(stage(&volume, &path("staging"))).await?),
            "publish" => {
                let request = publish(&volume, &path("staging"), &path("target"));
                drop(n.node_publish_volume(request).await?);
            }
            "write" => std::fs::write(self.room.join("target/words"), "first").unwrap(),
            "snapshot" => {
                let answer = c.create_snapshot(snapshot("cut", &volume)).await?.into_inner();
                self.ids[1] = answer.snapshot.unwrap().snapshot_id;
                std::fs::write(self.room.join("target/words"), "later").unwrap();
            }
            "restore" => {
                let request = v1::CreateVolumeRequest {
                    capacity_range: at_least(640 * MIB),
                    volume_content_source: of_snapshot(&cut),
                    ..create("restored")
                };
                self.ids[2] =
                    c.create_volume(request).await?.into_inner().volume.unwrap().volume_id;
            }
            "clone" => {
                let volume_content_source = of_volume(&volume);
                let request = v1::CreateVolumeRequest { volume_content_source, ..create("clone") };
                self.ids[3] =
                    c.create_volume(request).await?.into_inner().volume.unwrap().volume_id;
            }
            "modify" => {
                let limits = [("readIOPS", "1M"), ("writeBytesPerSecond", "1Gi")];
                drop(c.controller_modify_volume(modify(&volume, &limits)).await?);
            }
            "expand" => drop(c.controller_expand_volume(expand(&volume, 600 * MIB)).await?),
            "grow" => drop(n.node_expand_volume(node_expand(&volume, &path("target"))).await?),
            "stage restored" => {
                drop(n.node_stage_volume(stage(&restored, &path("staging2"))).await?);
            }
            "publish restored" => {
                let request = publish(&restored, &path("staging2"), &path("target2"));
                drop(n.node_publish_volume(request).await?);
            }
            "compare" => {
                let read = |name: &str| std::fs::read_to_string(self.room.join(name)).unwrap();
                assert_eq!((&*read("target/words"), &*read("target2/words")), ("later", "first"));
            }
            "unpublish restored" => {
                drop(n.node_unpublish_volume(unpublish(&restored, &path("target2"))).await?);
            }
            "unstage restored" => {
                drop(n.node_unstage_volume(unstage(&restored, &path("staging2"))).await?);
            }
            "unpublish" => {
                drop(n.node_unpublish_volume(unpublish(&volume, &path("target"))).await?);
            }
            "unstage" => drop(n.node_unstage_volume(unstage(&volume, &path("staging"))).await?),
            "detach" => drop(c.controller_unpublish_volume(detach(&volume, NODE)).await?),
            "delete snapshot" => drop(c.delete_snapshot(delete_snapshot(&cut)).await?),
            "delete clone" => drop(c.delete_volume(delete(&clone)).await?),
            "delete restored" => drop(c.delete_volume(delete(&restored)).await?),
            "delete" => drop(c.delete_volume(delete(&volume)).await?),
            other => panic!("no step {other:?}"),
        }
        Ok(())
    }

    /// Makes the call, and again to a new driver when the old one dies over it.
    async fn survive(&mut self, step: &str, kill: u32) {
        let Err(status) = self.step(step).await else { return };
        let process = self.process.take().unwrap();
        let dead = wait_for_death(process).await;
        assert!(dead, "{step} with a kill at step {kill}: {status:?}");
        let process = start(self.room, &[]);
        let channel = connect(process.socket.clone()).await;
        self.controller = ControllerClient::new(channel.clone());
        self.node = NodeClient::new(channel);
        self.process = Some(process);
        // A program of the dead driver may still hold the volume: that is told, and told truly.
        while let Err(status) = self.step(step).await {
            let wait = status.code() == Code::Aborted;
            assert!(wait, "{step} again after a kill at step {kill}: {status:?}");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}

/// Returns whether the process dies of its kill; the client may know of the cut connection before that.
pub(crate) async fn wait_for_death(mut process: Process) -> bool {
    for _ in 0..500 {
        if process.ended().is_some() {
            return true;
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    false
}

/// Lives a whole life whose driver dies at the step, and returns whether it died.
async fn live(room: &Path, kill: u32) -> bool {
    for name in ["staging", "staging2"] {
        std::fs::create_dir_all(room.join(name)).unwrap();
    }
    let (process, channel) = started(room, kill).await;
    let (controller, node) = (ControllerClient::new(channel.clone()), NodeClient::new(channel));
    let mut life = Life { room, process: Some(process), controller, node, ids: Default::default() };
    for step in STEPS {
        life.survive(step, kill).await;
    }
    // The step may be one of the work in the background, reached when the last call was answered.
    let ended = life.process.take().unwrap().stop();
    let died = std::fs::read_to_string(room.join("log")).unwrap().contains("ending here");
    assert!(ended.success() || died, "{ended}");
    clean_up(room);
    std::fs::remove_file(room.join("log")).unwrap();
    died
}

/// Lets a last driver do what is left to do in the background.
pub(crate) fn clean_up(room: &Path) {
    let last = start(room, &[]);
    let count = |place| std::fs::read_dir(room.join("pool").join(place)).unwrap().count();
    let began = std::time::Instant::now();
    while count("new") + count("trash") > 0 && began.elapsed() < PATIENCE {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert!(last.stop().success());
}

pub(crate) fn assert_clean(room: &Path, kill: u32) {
    for place in ["volumes", "snapshots", "groups", "new", "trash"] {
        let left: Vec<_> = std::fs::read_dir(room.join("pool").join(place)).unwrap().collect();
        assert!(left.is_empty(), "left in {place} after a kill at step {kill}: {left:?}");
    }
    let table = MountTable::read().unwrap();
    let pool = room.join("pool");
    let left: Vec<_> =
        table.iter().filter(|mount| mount.at.starts_with(room) && mount.at != pool).collect();
    assert!(left.is_empty(), "left mounted after a kill at step {kill}: {left:?}");
    assert_eq!(loops_below(&pool), Vec::<String>::new(), "after a kill at step {kill}");
    for target in ["target", "target2"] {
        assert!(!room.join(target).exists(), "{target} left after a kill at step {kill}");
    }
}

/// > A driver that is killed between any two steps that change a disk has lost and leaked nothing: the same call made
/// > again to the next driver finishes what was begun, and the undoing calls leave nothing over.
#[test]
fn a_kill_at_any_step_is_finished_by_the_same_call_again() {
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
    assert!(reached > 30, "only {reached} steps in a whole life");
}
