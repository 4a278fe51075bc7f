//! The life of a volume through every RPC that has a part in it, each with secrets.

use std::path::Path;

use orlop::csi::v1;
use orlop::csi::v1::volume_capability::access_mode::Mode;
use prost::Message;

use super::plant::Where;
use super::{Caller, PLAIN};
use crate::driver::{NODE, text};
use crate::random::{group_id, snapshot_id, volume_id};
use crate::requests::{
    MIB, allocated, attach, block, create, create_block, delete, delete_group, delete_snapshot,
    delta, detach, expand, file_system, get_group, group, modify, node_expand, of_snapshot,
    publish, snapshot, stage, stats, unpublish, unstage,
};

const CONTROLLER: &str = "/csi.v1.Controller/";
const GROUPS: &str = "/csi.v1.GroupController/";
const METADATA: &str = "/csi.v1.SnapshotMetadata/";
const NODE_SERVICE: &str = "/csi.v1.Node/";

impl Caller {
    /// A call that fails over its secrets, and then one that succeeds with them.
    async fn twice(&self, service: &str, rpc: &str, request: impl Message) {
        let (path, bytes) = (format!("{service}{rpc}"), request.encode_to_vec());
        self.post(&path, &bytes, Where::Everywhere).await;
        assert!(self.post(&path, &bytes, Where::Meant).await, "{path} fails");
    }

    async fn controller(&self, rpc: &str, request: impl Message) {
        self.twice(CONTROLLER, rpc, request).await;
    }

    async fn node(&self, rpc: &str, request: impl Message) {
        self.twice(NODE_SERVICE, rpc, request).await;
    }
}

/// Lives the life, and looks around in the middle of it.
pub(super) async fn life(caller: &Caller, room: &Path, look: impl Fn()) {
    let made = [
        (create(PLAIN), file_system("xfs", Mode::SingleNodeWriter)),
        (create("ext"), file_system("ext4", Mode::SingleNodeWriter)),
        (create_block("raw"), block()),
    ];
    for (wish, capability) in &made {
        let volume_capabilities = vec![capability.clone()];
        let wish = v1::CreateVolumeRequest { volume_capabilities, ..wish.clone() };
        caller.controller("CreateVolume", wish).await;
    }
    for (wish, capability) in &made {
        put_to_use(caller, room, &volume_id(&wish.name), capability).await;
    }
    let [one, raw] = [volume_id(PLAIN), volume_id("raw")];
    copies(caller, &one, &raw).await;
    look();
    for (wish, capability) in &made {
        take_away(caller, room, &volume_id(&wish.name), capability).await;
    }
    let members = [0, 1].map(|n| format!("{}-{n}", group_id("group")));
    caller
        .twice(GROUPS, "DeleteVolumeGroupSnapshot", delete_group(&group_id("group"), &members))
        .await;
    for name in ["first", "second"] {
        caller.controller("DeleteSnapshot", delete_snapshot(&snapshot_id(name))).await;
    }
    caller.controller("DeleteVolume", delete(&volume_id("restored"))).await;
}

fn paths(room: &Path, id: &str) -> (String, String) {
    let (staging, target) = (room.join(format!("staging {id}")), room.join(format!("target {id}")));
    std::fs::create_dir_all(&staging).unwrap();
    (text(&staging), text(&target))
}

async fn put_to_use(caller: &Caller, room: &Path, id: &str, capability: &v1::VolumeCapability) {
    let (staging, target) = paths(room, id);
    let volume_capability = Some(capability.clone());
    let validate = v1::ValidateVolumeCapabilitiesRequest {
        volume_id: id.to_owned(),
        volume_capabilities: vec![capability.clone()],
        ..<_>::default()
    };
    caller.controller("ValidateVolumeCapabilities", validate).await;
    let wish = attach(id, NODE);
    let volume_capability_of = volume_capability.clone();
    let wish =
        v1::ControllerPublishVolumeRequest { volume_capability: volume_capability_of, ..wish };
    caller.controller("ControllerPublishVolume", wish).await;
    let wish = stage(id, &staging);
    let wish = v1::NodeStageVolumeRequest { volume_capability: volume_capability.clone(), ..wish };
    caller.node("NodeStageVolume", wish).await;
    let wish = publish(id, &staging, &target);
    let wish = v1::NodePublishVolumeRequest { volume_capability, ..wish };
    caller.node("NodePublishVolume", wish).await;
    caller.controller("ControllerExpandVolume", expand(id, 600 * MIB)).await;
    caller.controller("ControllerModifyVolume", modify(id, &[("readIOPS", "1000")])).await;
    caller.node("NodeGetVolumeStats", stats(id, &target)).await;
    let of_node = v1::NodeGetVolumeHealthRequest { volume_id: id.to_owned(), ..<_>::default() };
    caller.node("NodeGetVolumeHealth", of_node).await;
    let health =
        v1::ControllerGetVolumeHealthRequest { volume_id: id.to_owned(), ..<_>::default() };
    caller.controller("ControllerGetVolumeHealth", health).await;
    let get = v1::ControllerGetVolumeRequest { volume_id: id.to_owned() };
    caller.controller("ControllerGetVolume", get).await;
}

async fn copies(caller: &Caller, one: &str, raw: &str) {
    caller.controller("CreateSnapshot", snapshot("first", one)).await;
    caller.controller("CreateSnapshot", snapshot("second", one)).await;
    let [first, second] = ["first", "second"].map(snapshot_id);
    let get = v1::GetSnapshotRequest { snapshot_id: first.clone(), ..<_>::default() };
    caller.controller("GetSnapshot", get).await;
    caller.twice(METADATA, "GetMetadataAllocated", allocated(&first)).await;
    caller.twice(METADATA, "GetMetadataDelta", delta(&first, &second)).await;
    let restore = v1::CreateVolumeRequest {
        volume_content_source: of_snapshot(&first),
        capacity_range: None,
        ..create("restored")
    };
    caller.controller("CreateVolume", restore).await;
    caller.twice(GROUPS, "CreateVolumeGroupSnapshot", group("group", &[one, raw])).await;
    let members = [0, 1].map(|n| format!("{}-{n}", group_id("group")));
    caller.twice(GROUPS, "GetVolumeGroupSnapshot", get_group(&group_id("group"), &members)).await;
    caller.controller("ListVolumes", v1::ListVolumesRequest::default()).await;
    caller.controller("ListSnapshots", v1::ListSnapshotsRequest::default()).await;
    let unwell = v1::ControllerListVolumeHealthRequest::default();
    caller.controller("ControllerListVolumeHealth", unwell).await;
    caller.controller("GetCapacity", v1::GetCapacityRequest::default()).await;
    caller.node("NodeGetStorageHealth", v1::NodeGetStorageHealthRequest::default()).await;
}

async fn take_away(caller: &Caller, room: &Path, id: &str, capability: &v1::VolumeCapability) {
    let (staging, target) = paths(room, id);
    // A mounted ext4 does not grow everywhere; that it is asked is enough.
    if *capability != file_system("ext4", Mode::SingleNodeWriter) {
        caller.node("NodeExpandVolume", node_expand(id, &target)).await;
    }
    caller.node("NodeUnpublishVolume", unpublish(id, &target)).await;
    caller.node("NodeUnstageVolume", unstage(id, &staging)).await;
    caller.controller("ControllerUnpublishVolume", detach(id, NODE)).await;
    caller.controller("DeleteVolume", delete(id)).await;
}
