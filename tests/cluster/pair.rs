//! The two processes of a cluster, each with its own rights: a real controller, and a real node.

use std::path::{Path, PathBuf};

use orlop::csi::v1;
use orlop::csi::v1::controller_client::ControllerClient;
use orlop::csi::v1::group_controller_client::GroupControllerClient;
use orlop::csi::v1::node_client::NodeClient;
use serde_json::{Value, json};
use tonic::transport::Channel;

use crate::driver::connect;
use crate::requests;
use crate::rig::{Process, Rig};

/// A controller, and one node.
pub(crate) struct Pair {
    pub(crate) rig: Rig,
    pub(crate) controller: ControllerClient<Channel>,
    pub(crate) groups: GroupControllerClient<Channel>,
    pub(crate) node: NodeClient<Channel>,
    /// The config of the node.
    pub(crate) config: PathBuf,
    processes: [Process; 2],
}

// === impl Pair ===

impl Pair {
    /// Starts both, with this pool on a node of this name.
    pub(crate) async fn start(rig: &Rig, node: &str, pool: Value) -> Self {
        rig.with_orlop().await;
        let driver = rig.orlop_on_node(node, &pool).await;
        let on_node = rig.spawn(node, driver.command);
        rig.until_it_listens(&driver.socket).await;
        let node_channel = connect(driver.socket).await;

        let room = format!("controller-of-{node}");
        let driver = rig.orlop_as_controller(&room, json!({})).await;
        let of_all = rig.spawn(&room, driver.command);
        rig.until_it_listens(&driver.socket).await;
        let channel = connect(driver.socket).await;
        let pair = Self {
            rig: rig.clone(),
            controller: ControllerClient::new(channel.clone()),
            groups: GroupControllerClient::new(channel),
            node: NodeClient::new(node_channel),
            config: rig.room(node).join("orlop.yaml"),
            processes: [on_node, of_all],
        };
        pair.until_there_is_room().await;
        pair
    }

    /// Waits until the controller knows of the node's pool.
    async fn until_there_is_room(&self) {
        let has = async || {
            let asked = v1::GetCapacityRequest::default();
            let answer = self.controller.clone().get_capacity(asked).await.ok()?;
            (answer.into_inner().available_capacity > 0).then_some(())
        };
        self.rig.until("the controller knows the pool", has).await;
    }

    /// Makes a volume, and returns its id.
    pub(crate) async fn volume(&self, name: &str) -> String {
        let made = self.controller.clone().create_volume(requests::create(name)).await;
        made.unwrap().into_inner().volume.unwrap().volume_id
    }

    /// Cuts a snapshot, and returns its id.
    pub(crate) async fn snapshot(&self, name: &str, source: &str) -> String {
        let cut = self.controller.clone().create_snapshot(requests::snapshot(name, source)).await;
        cut.unwrap().into_inner().snapshot.unwrap().snapshot_id
    }

    /// Cuts a group snapshot, and returns it.
    pub(crate) async fn group(&self, name: &str, sources: &[&str]) -> v1::VolumeGroupSnapshot {
        let request = requests::group(name, sources);
        let cut = self.groups.clone().create_volume_group_snapshot(request).await;
        cut.unwrap().into_inner().group_snapshot.unwrap()
    }

    pub(crate) async fn delete_volume(&self, id: &str) {
        self.controller.clone().delete_volume(requests::delete(id)).await.unwrap();
    }

    pub(crate) async fn delete_snapshot(&self, id: &str) {
        let request = requests::delete_snapshot(id);
        self.controller.clone().delete_snapshot(request).await.unwrap();
    }

    pub(crate) async fn delete_group(&self, id: &str, members: &[String]) {
        let request = requests::delete_group(id, members);
        self.groups.clone().delete_volume_group_snapshot(request).await.unwrap();
    }

    /// Mounts the volume at the path.
    pub(crate) async fn stage(&self, id: &str, at: &Path) {
        std::fs::create_dir_all(at).unwrap();
        let request = requests::stage(id, at.to_str().unwrap());
        self.node.clone().node_stage_volume(request).await.unwrap();
    }

    pub(crate) async fn unstage(&self, id: &str, at: &Path) {
        let request = requests::unstage(id, at.to_str().unwrap());
        self.node.clone().node_unstage_volume(request).await.unwrap();
    }

    /// Returns all that the two processes have said.
    pub(crate) fn said(&self) -> String {
        self.processes.iter().map(Process::said).collect()
    }
}
