//! The driver is killed at every step of the life of a group snapshot.

use std::path::{Path, PathBuf};

use orlop::csi::v1;
use orlop::csi::v1::controller_client::ControllerClient;
use orlop::csi::v1::group_controller_client::GroupControllerClient;
use orlop::csi::v1::node_client::NodeClient;
use orlop::sys::freeze::thaw;
use tonic::Status;
use tonic::transport::Channel;

use crate::driver::text;
use crate::mortal::{Life, die_at_every_step};
use crate::requests::{
    MIB, at_least, create, create_block, delete, delete_group, group, publish, stage, unpublish,
    unstage,
};
use crate::support::mount_at;

/// A group of a mounted volume and of one that is no device; the steps around it are for it alone.
struct Grouped {
    room: PathBuf,
    ids: [String; 2],
    group: v1::VolumeGroupSnapshot,
}

impl Life for Grouped {
    const STEPS: &[&str] = &[
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

    fn begin(room: &Path) -> Self {
        std::fs::create_dir_all(room.join("staging")).unwrap();
        let (ids, group) = Default::default();
        Self { room: room.to_owned(), ids, group }
    }

    async fn step(&mut self, driver: &Channel, step: &str) -> Result<(), Status> {
        let room = self.room.clone();
        let path = |name: &str| text(&room.join(name));
        let mut c = ControllerClient::new(driver.clone());
        let mut n = NodeClient::new(driver.clone());
        let mut g = GroupControllerClient::new(driver.clone());
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
}

impl Grouped {
    /// Asserts that both members are there, and that the volume goes on.
    fn is_whole(&self) {
        let kept = std::fs::read_dir(self.room.join("pool/snapshots")).unwrap().count();
        assert_eq!((self.group.snapshots.len(), kept), (2, 2));
        let target = self.room.join("target");
        assert!(!thaw(&mount_at(&target)).unwrap());
        std::fs::write(target.join("words"), "written").unwrap();
    }
}

/// > A driver that is killed at any step leaves the whole group or nothing of it.
#[test]
fn a_group_is_whole_or_gone_after_a_kill_at_any_step() {
    die_at_every_step::<Grouped>(40);
}
