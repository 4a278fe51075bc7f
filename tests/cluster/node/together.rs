//! The real controller and a real node: each wish of the one is fulfilled by the other.

use orlop::csi::v1;
use serde_json::json;
use tonic::Code;

use super::site::Site;
use crate::controller::stage::{GIB, Stage};
use crate::requests;
use crate::rig;

#[test]
fn controller_and_node_are_one_driver() {
    rig::shared(async |rig| {
        let stage = Stage::new(&rig, "t1").await;
        let pool = json!({ "name": "t1", "kind": "memory", "size": "10Gi" });
        let site = Site::with(&rig, "t1-node", pool).await;
        let _driver = site.start().await;
        stage.until_room("t1-node", 10 * GIB).await;
        let mut controller = stage.controller.clone();
        let id = stage.volume("a").await;
        assert_eq!(stage.volume("a").await, id);
        stage.until_room("t1-node", 9 * GIB).await;

        let cut = controller.create_snapshot(requests::snapshot("s of t1", &id)).await.unwrap();
        let cut = cut.into_inner().snapshot.unwrap();
        assert_eq!((cut.size_bytes, cut.ready_to_use), (GIB, true));
        let restored = v1::CreateVolumeRequest {
            volume_content_source: requests::of_snapshot(&cut.snapshot_id),
            ..stage.create("restored")
        };
        let restored = controller.create_volume(restored).await.unwrap().into_inner();
        let restored = restored.volume.unwrap().volume_id;
        let wanted = requests::group("g of t1", &[&id, &restored]);
        let group = stage.groups.clone().create_volume_group_snapshot(wanted).await.unwrap();
        let group = group.into_inner().group_snapshot.unwrap();
        assert_eq!(group.snapshots.len(), 2);

        let grown = controller.controller_expand_volume(requests::expand(&id, 2 * GIB)).await;
        assert_eq!(grown.unwrap().into_inner().capacity_bytes, 2 * GIB);
        let refused = controller.controller_expand_volume(requests::expand(&id, 100 * GIB)).await;
        assert_eq!(refused.unwrap_err().code(), Code::OutOfRange);
        let limits = requests::modify(&id, &[("readIOPS", "100")]);
        controller.controller_modify_volume(limits).await.unwrap();

        let (mut node, room) = site.csi().await;
        let staging = room.join("staging");
        let staging = staging.to_str().unwrap();
        node.node_stage_volume(requests::stage(&id, staging)).await.unwrap();
        let used = controller.delete_volume(requests::delete(&id)).await.unwrap_err();
        assert_eq!(used.code(), Code::FailedPrecondition, "{used:?}");
        node.node_unstage_volume(requests::unstage(&id, staging)).await.unwrap();

        for id in [&id, &restored] {
            controller.delete_volume(requests::delete(id)).await.unwrap();
        }
        controller.delete_snapshot(requests::delete_snapshot(&cut.snapshot_id)).await.unwrap();
        let members: Vec<_> = group.snapshots.into_iter().map(|one| one.snapshot_id).collect();
        let gone = requests::delete_group(&group.group_snapshot_id, &members);
        stage.groups.clone().delete_volume_group_snapshot(gone).await.unwrap();
        stage.until_room("t1-node", 10 * GIB).await;
        assert_eq!(site.pool().await["status"]["orphanCount"], 0);
    });
}
