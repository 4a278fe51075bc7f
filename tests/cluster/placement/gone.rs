//! A node that is gone for good, and one that was installed anew under its old name.

use super::fleet::{Claim, Fleet};
use crate::rig;

/// > When a node is gone for good, its volumes can be deleted, and what is made anew is made elsewhere, because a
/// > Node object that is gone is how an admin says that nothing of it comes back.
#[test]
fn a_lost_node_keeps_nobody() {
    rig::alone(async |rig| {
        let mut fleet = Fleet::start(&rig, &[("n1", 10), ("n2", 5)]).await;
        for claim in ["lost", "kept"] {
            fleet.claim(claim, Claim::new("orlop", 1)).await;
            fleet.pod(claim, &[claim], &[if claim == "lost" { "n1" } else { "n2" }]).await;
            fleet.home_of(claim).await;
        }
        assert_eq!(fleet.node_of("lost").await, "n1");
        fleet.lose("n1");
        rig.api.delete("/api/v1/nodes/n1").await.unwrap();
        fleet.delete_pod("lost").await;
        // Its data is on that node alone, and a pod that wants it waits.
        fleet.pod("again", &["lost"], &[]).await;
        fleet.pod_is_told("again", "didn't match PersistentVolume's node affinity").await;
        fleet.delete_pod("again").await;
        fleet.delete_claim("lost").await;

        // A claim of the same name is a new one, and finds the node that is left.
        fleet.claim("lost", Claim::new("orlop", 1)).await;
        fleet.pod("lost", &["lost"], &["n1"]).await;
        assert_eq!(fleet.node_of("lost").await, "n2");
        fleet.claim("at-once", Claim::new("orlop-immediate", 1)).await;
        assert_eq!(fleet.home_of("at-once").await, "n2");
        fleet.until_published("n2", 2).await;
    });
}

/// > A node that was installed anew under its old name has all of its room, because what was in its old pool is lost
/// > and takes nothing of the new one; its objects can be deleted and do not touch what is new.
#[test]
fn a_node_that_was_installed_anew_is_as_good_as_a_new_one() {
    rig::alone(async |rig| {
        let mut fleet = Fleet::start(&rig, &[("n1", 10), ("n2", 5)]).await;
        fleet.claim("old", Claim::new("orlop", 4)).await;
        fleet.pod("old", &["old"], &["n1"]).await;
        assert_eq!(fleet.node_of("old").await, "n1");
        fleet.until_published("n1", 6).await;
        fleet.delete_pod("old").await;
        fleet.reinstall("n1").await;
        // What was in the old pool takes nothing of the new one.
        fleet.until_published("n1", 10).await;
        fleet.claim("new", Claim::new("orlop", 8)).await;
        fleet.pod("new", &["new"], &["n1"]).await;
        assert_eq!(fleet.node_of("new").await, "n1");
        let (home, id) = fleet.volume_of("new").await;
        assert_eq!(home, "n1");

        fleet.delete_claim("old").await;
        assert_eq!(fleet.stage.get("volumes", &id).await.unwrap()["status"]["phase"], "Ready");
        fleet.until_room("n1", 2).await;
    });
}
