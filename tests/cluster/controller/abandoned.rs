//! A node dies, what was on it is deleted, and then the node is taken out of the cluster: nothing is left of either.

use serde_json::json;

use super::stage::{Stage, path};
use crate::requests;
use crate::rig;

/// What was deleted while its node was away, and what was not.
struct Left {
    node: String,
    /// The kinds and ids of what was.
    deleted: Vec<(&'static str, String)>,
    kept: String,
}

/// Deletes one thing of each kind on a node of this number that does not answer any more.
async fn delete_on_a_dead_node(stage: &Stage, number: usize) -> Left {
    let node = stage.node(number, 10).await;
    let player = stage.play(&node);
    let name = |what: &str| format!("{what} {number} of {}", stage.name);
    let (kept, volume) = (stage.volume(&name("kept")).await, stage.volume(&name("deleted")).await);
    let (mut controller, mut groups) = (stage.controller.clone(), stage.groups.clone());
    let cut = controller.create_snapshot(requests::snapshot(&name("cut"), &kept)).await.unwrap();
    let cut = cut.into_inner().snapshot.unwrap().snapshot_id;
    let group = requests::group(&name("group"), &[&kept]);
    let group = groups.create_volume_group_snapshot(group).await.unwrap().into_inner();
    let group = group.group_snapshot.unwrap();
    let members: Vec<_> = group.snapshots.into_iter().map(|one| one.snapshot_id).collect();

    drop(player);
    stage.rig.node_is_ready(&node, false).await;
    stage.until_room(&node, 0).await;
    controller.delete_volume(requests::delete(&volume)).await.unwrap();
    controller.delete_snapshot(requests::delete_snapshot(&cut)).await.unwrap();
    let gone = requests::delete_group(&group.group_snapshot_id, &members);
    groups.delete_volume_group_snapshot(gone).await.unwrap();
    let deleted =
        vec![("volumes", volume), ("snapshots", cut), ("groupsnapshots", group.group_snapshot_id)];
    Left { node, deleted, kept }
}

// === impl Left ===

impl Left {
    /// Takes the node out of the cluster, as docs/cluster.md says.
    async fn forget_the_node(&self, stage: &Stage) {
        let api = &stage.rig.api;
        api.delete(&format!("/api/v1/nodes/{}", self.node)).await.unwrap();
        api.delete(&path(&format!("pools/{}", stage.pool_of(&self.node)))).await.unwrap();
    }

    /// Waits until nothing is left of what was deleted, and of nothing else.
    async fn until_gone(&self, stage: &Stage) {
        for (kind, id) in &self.deleted {
            let gone = async || stage.get(kind, id).await.is_none().then_some(());
            stage.rig.until(&format!("{kind} {id} is gone"), gone).await;
        }
        let kept = stage.get("volumes", &self.kept).await.unwrap();
        assert_ne!(kept["spec"]["delete"], json!(true));
    }

    /// Finds what was deleted as it was left: its node may be back.
    async fn is_wished_away(&self, stage: &Stage) {
        for (kind, id) in &self.deleted {
            assert_eq!(stage.get(kind, id).await.unwrap()["spec"]["delete"], true, "{kind}");
        }
    }
}

/// > What was deleted while its node was away goes when the node is gone from the cluster; what nobody has deleted
/// > stays.
#[test]
fn what_was_deleted_while_its_node_was_away_goes_with_the_node() {
    rig::shared(async |rig| {
        let stage = Stage::new(&rig, "dead").await;
        let _other = Stage::another(&rig, "dead", "dead-other").await;
        let away = delete_on_a_dead_node(&stage, 1).await;
        let dead = delete_on_a_dead_node(&stage, 2).await;
        dead.is_wished_away(&stage).await;
        dead.forget_the_node(&stage).await;
        dead.until_gone(&stage).await;
        // All were looked at together.
        away.is_wished_away(&stage).await;
        away.forget_the_node(&stage).await;
        away.until_gone(&stage).await;
    });
}

#[test]
fn a_controller_finds_what_was_left_before_it_started() {
    // In a cluster of its own: the controllers of other tests would see to it.
    rig::alone(async |rig| {
        let mut stage = Stage::new(&rig, "left").await;
        let dead = delete_on_a_dead_node(&stage, 1).await;
        let away = delete_on_a_dead_node(&stage, 2).await;
        stage.process.kill();
        dead.forget_the_node(&stage).await;
        dead.is_wished_away(&stage).await;
        stage.start_again().await;
        dead.until_gone(&stage).await;
        away.is_wished_away(&stage).await;
        assert!(stage.process.said().contains("its object is deleted"));
    });
}
