//! Snapshots, groups, and volumes made from them.

use orlop::csi::v1;
use tonic::Code;

use super::stage::{GIB, Stage, on, path, refused, within};
use crate::requests;
use crate::rig;

/// > A copy is made on the node of its source, whatever is preferred, because it shares the blocks of its source.
#[test]
fn a_copy_is_where_its_source_is() {
    rig::shared(async |rig| {
        let stage = Stage::new(&rig, "copies").await;
        let first = stage.node(1, 4).await;
        let _first = stage.play(&first);
        let source = stage.volume("source").await;
        let second = stage.node(2, 10).await;
        let _second = stage.play(&second);
        let mut controller = stage.controller.clone();
        let cut = controller.create_snapshot(requests::snapshot("cut of copies", &source)).await;
        let cut = cut.unwrap().into_inner().snapshot.unwrap();
        assert_eq!((cut.size_bytes, cut.accessible_topology), (GIB, vec![on(&first)]));
        stage.until_room(&first, 2 * GIB).await;

        let preferred = Some(v1::TopologyRequirement {
            requisite: vec![on(&first), on(&second)],
            preferred: vec![on(&second), on(&first)],
        });
        let copy = |name: &str, source| v1::CreateVolumeRequest {
            volume_content_source: source,
            accessibility_requirements: preferred.clone(),
            ..stage.create(name)
        };
        for (name, source) in [
            ("restored", requests::of_snapshot(&cut.snapshot_id)),
            ("cloned", requests::of_volume(&source)),
        ] {
            let made = controller.create_volume(copy(name, source)).await.unwrap();
            assert_eq!(made.into_inner().volume.unwrap().accessible_topology, [on(&first)]);
        }
        let full = copy("too many", requests::of_volume(&source));
        let (code, message) = refused(controller.create_volume(full).await);
        assert_eq!(code, Code::ResourceExhausted);
        assert!(message.contains(&format!("pool copies on node {first} has no room")), "{message}");
        let mut elsewhere = copy("elsewhere", requests::of_volume(&source));
        elsewhere.accessibility_requirements.as_mut().unwrap().requisite = vec![on(&second)];
        let (code, message) = refused(controller.create_volume(elsewhere).await);
        assert_eq!(code, Code::InvalidArgument);
        assert!(message.contains(&first), "{message}");

        controller.delete_snapshot(requests::delete_snapshot(&cut.snapshot_id)).await.unwrap();
        assert_eq!(stage.get("snapshots", &cut.snapshot_id).await, None);
    });
}

#[test]
fn a_group_is_cut_listed_and_removed_as_one() {
    rig::shared(async |rig| {
        let stage = Stage::new(&rig, "groups").await;
        let node = stage.node(1, 10).await;
        let _player = stage.play(&node);
        let (one, two) = (stage.volume("one").await, stage.volume("two").await);
        let mut groups = stage.groups.clone();
        let create = requests::group("group of groups", &[&one, &two]);
        let made = groups.create_volume_group_snapshot(create.clone()).await.unwrap().into_inner();
        let group = made.group_snapshot.clone().unwrap();
        assert_eq!(group.snapshots.len(), 2);
        assert_eq!(groups.create_volume_group_snapshot(create).await.unwrap().into_inner(), made);
        let mut controller = stage.controller.clone();
        for member in &group.snapshots {
            let list = v1::ListSnapshotsRequest {
                source_volume_id: member.source_volume_id.clone(),
                ..v1::ListSnapshotsRequest::default()
            };
            let listed = controller.list_snapshots(list).await.unwrap().into_inner();
            assert_eq!(listed.entries[0].snapshot.as_ref(), Some(member));
            let alone = requests::delete_snapshot(&member.snapshot_id);
            assert_eq!(refused(controller.delete_snapshot(alone).await).0, Code::InvalidArgument);
        }
        stage.until_room(&node, 6 * GIB).await;
        let gone = v1::DeleteVolumeGroupSnapshotRequest {
            group_snapshot_id: group.group_snapshot_id.clone(),
            snapshot_ids: group.snapshots.iter().map(|one| one.snapshot_id.clone()).collect(),
            ..v1::DeleteVolumeGroupSnapshotRequest::default()
        };
        groups.delete_volume_group_snapshot(gone).await.unwrap();
        assert_eq!(stage.get("groupsnapshots", &group.group_snapshot_id).await, None);
    });
}

/// > Volumes on several nodes are not cut together: that is FAILED_PRECONDITION, and names a volume and its node.
#[test]
fn volumes_of_several_nodes_are_not_cut_together() {
    rig::shared(async |rig| {
        let stage = Stage::new(&rig, "apart").await;
        let nodes = [stage.node(1, 1).await, stage.node(2, 1).await];
        let _players = nodes.each_ref().map(|node| stage.play(node));
        let (one, two) = (stage.volume("one").await, stage.volume("two").await);
        let mut groups = stage.groups.clone();
        let create = requests::group("group of apart", &[&one, &two]);
        let (code, message) = refused(groups.create_volume_group_snapshot(create).await);
        assert_eq!(code, Code::FailedPrecondition);
        for named in [&one, &two, &nodes[0], &nodes[1]] {
            assert!(message.contains(named), "{message}");
        }
    });
}

/// > A snapshot that no node has begun to cut is taken back and is FAILED_PRECONDITION: it can be cut nowhere else.
#[test]
fn a_snapshot_that_no_node_has_begun_is_taken_back() {
    rig::shared(async |rig| {
        let stage = Stage::new(&rig, "uncut").await;
        let node = stage.node(1, 10).await;
        let player = stage.play(&node);
        let source = stage.volume("source").await;
        drop(player);
        rig.node_is_ready(&node, false).await;
        stage.until_room(&node, 0).await;
        let mut controller = stage.controller.clone();
        let cut = within(30, requests::snapshot("cut of uncut", &source));
        let (code, message) = refused(controller.create_snapshot(cut).await);
        assert_eq!(code, Code::FailedPrecondition, "{message}");
        assert!(message.contains("the node is not ready"), "{message}");
        let left = rig.api.get(&path(&format!("snapshots?fieldSelector=spec.node={node}"))).await;
        assert!(left.unwrap()["items"].as_array().unwrap().is_empty());
    });
}
