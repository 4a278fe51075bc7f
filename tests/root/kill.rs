//! The driver is killed at every step of the life of a volume and its copies.

use std::path::{Path, PathBuf};

use orlop::csi::v1;
use orlop::csi::v1::controller_client::ControllerClient;
use orlop::csi::v1::node_client::NodeClient;
use tonic::Status;
use tonic::transport::Channel;

use crate::driver::{NODE, text};
use crate::mortal::{Life, die_at_every_step};
use crate::requests::{
    MIB, at_least, attach, create, delete, delete_snapshot, detach, expand, modify, node_expand,
    of_snapshot, of_volume, publish, snapshot, stage, unpublish, unstage,
};

/// A volume, a snapshot, what is restored from it, and a clone.
struct Copied {
    room: PathBuf,
    ids: [String; 4],
}

impl Life for Copied {
    const STEPS: &[&str] = &[
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

    fn begin(room: &Path) -> Self {
        for name in ["staging", "staging2"] {
            std::fs::create_dir_all(room.join(name)).unwrap();
        }
        Self { room: room.to_owned(), ids: Default::default() }
    }

    async fn step(&mut self, driver: &Channel, step: &str) -> Result<(), Status> {
        let mut c = ControllerClient::new(driver.clone());
        let mut n = NodeClient::new(driver.clone());
        let path = |name: &str| text(&self.room.join(name));
        let [volume, cut, restored, clone] = self.ids.clone();
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
}

/// > A driver that is killed between any two steps that change a disk has lost and leaked nothing: the same call made
/// > again to the next driver finishes what was begun, and the undoing calls leave nothing over.
#[test]
fn a_kill_at_any_step_is_finished_by_the_same_call_again() {
    die_at_every_step::<Copied>(30);
}
