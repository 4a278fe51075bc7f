//! What becomes of a volume: copies, growth, limits, and nothing at the end.

use std::collections::HashMap;

use orlop::csi::v1;
use serde_json::json;
use tonic::Code;

use crate::controller::stage::{GIB, Stage, on, refused};
use crate::node::site::Site;
use crate::requests;
use crate::rig::{self, Process, Rig};

/// A controller, and two nodes with 10 GiB each.
pub(super) async fn cluster(rig: &Rig) -> (Stage, [Process; 2]) {
    let stage = Stage::new(rig, "default").await;
    let mut nodes = Vec::new();
    for node in ["n1", "n2"] {
        let pool = json!({ "name": "default", "kind": "memory", "size": "10Gi" });
        nodes.push(Site::with(rig, node, pool).await.start().await);
        stage.until_room(node, 10 * GIB).await;
    }
    (stage, nodes.try_into().unwrap())
}

#[test]
fn a_volume_has_copies_grows_and_leaves_nothing() {
    rig::alone(async |rig| {
        let (stage, nodes) = cluster(&rig).await;
        let (mut controller, mut groups) = (stage.controller.clone(), stage.groups.clone());
        let mark = rig.audit().now();
        let made = controller.create_volume(stage.create("a")).await.unwrap().into_inner();
        let volume = made.volume.unwrap();
        let id = volume.volume_id.clone();
        let writes = rig.written(mark, &id, 3).await;
        assert_eq!(writes, ["create", "patch status", "patch status"]);
        let here = volume.accessible_topology.clone();
        let node = ["n1", "n2"].into_iter().find(|node| here == [on(node)]).unwrap();

        let cut = controller.create_snapshot(requests::snapshot("cut", &id)).await.unwrap();
        let cut = cut.into_inner().snapshot.unwrap();
        for (name, source) in [
            ("restored", requests::of_snapshot(&cut.snapshot_id)),
            ("cloned", requests::of_volume(&id)),
        ] {
            let create =
                v1::CreateVolumeRequest { volume_content_source: source, ..stage.create(name) };
            let made = controller.create_volume(create).await.unwrap().into_inner();
            assert_eq!(made.volume.unwrap().accessible_topology, here);
        }
        let all = controller.list_volumes(v1::ListVolumesRequest::default()).await.unwrap();
        let all = all.into_inner().entries.into_iter();
        let ids: Vec<_> = all.map(|entry| entry.volume.unwrap().volume_id).collect();
        assert_eq!(ids.len(), 3);

        let sources: Vec<_> = ids.iter().map(String::as_str).collect();
        let group = groups.create_volume_group_snapshot(requests::group("g", &sources)).await;
        let group = group.unwrap().into_inner().group_snapshot.unwrap();
        assert_eq!(group.snapshots.len(), 3);
        stage.until_room(node, 3 * GIB).await;

        let grow = |bytes| v1::ControllerExpandVolumeRequest {
            volume_id: id.clone(),
            capacity_range: requests::at_least(bytes),
            ..v1::ControllerExpandVolumeRequest::default()
        };
        let (code, message) = refused(controller.controller_expand_volume(grow(9 * GIB)).await);
        assert_eq!(code, Code::OutOfRange, "{message}");
        assert!(message.contains("has no room"), "{message}");
        let bytes = stage.get("volumes", &id).await.unwrap()["spec"]["bytes"].clone();
        assert_eq!(bytes, json!(GIB));
        let grown = controller.controller_expand_volume(grow(2 * GIB)).await.unwrap();
        assert_eq!(grown.into_inner().capacity_bytes, 2 * GIB);

        let limits = HashMap::from([("readIOPS".to_owned(), "100".to_owned())]);
        let modify = v1::ControllerModifyVolumeRequest {
            volume_id: id.clone(),
            mutable_parameters: limits,
            ..v1::ControllerModifyVolumeRequest::default()
        };
        controller.controller_modify_volume(modify).await.unwrap();
        let status = stage.get("volumes", &id).await.unwrap()["status"].clone();
        assert_eq!(status["limits"], json!({ "readIOPS": 100 }));

        let gone = v1::DeleteVolumeGroupSnapshotRequest {
            group_snapshot_id: group.group_snapshot_id,
            snapshot_ids: group.snapshots.into_iter().map(|one| one.snapshot_id).collect(),
            ..v1::DeleteVolumeGroupSnapshotRequest::default()
        };
        groups.delete_volume_group_snapshot(gone).await.unwrap();
        controller.delete_snapshot(requests::delete_snapshot(&cut.snapshot_id)).await.unwrap();
        let mark = rig.audit().now();
        for id in &ids {
            controller.delete_volume(requests::delete(id)).await.unwrap();
            assert_eq!(rig.written(mark, id, 2).await, ["patch", "delete"]);
        }
        for node in ["n1", "n2"] {
            stage.until_room(node, 10 * GIB).await;
        }
        assert!(nodes.iter().all(|node| node.stop().success()));
    });
}
