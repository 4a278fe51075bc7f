//! A node that has no room, or whose pool is cordoned.

use serde_json::json;

use super::fleet::{Claim, Fleet};
use crate::rig;

/// What the scheduler says of nodes where the class has no room.
const NO_ROOM: &str = "did not have enough free storage";

/// > The scheduler is told how much each node can still give, so that a pod goes where there is room; where there is
/// > none anywhere, the pod waits and says so.
#[test]
fn a_full_node_sends_pods_elsewhere() {
    rig::alone(async |rig| {
        let fleet = Fleet::start(&rig, &[("n1", 3), ("n2", 10)]).await;
        fleet.claim("steered", Claim::new("orlop", 5)).await;
        fleet.pod("steered", &["steered"], &["n1"]).await;
        assert_eq!(fleet.node_of("steered").await, "n2");
        assert_eq!(fleet.home_of("steered").await, "n2");
        fleet.until_published("n2", 5).await;

        // Nobody has so much, and that is said where a user looks.
        fleet.claim("large", Claim::new("orlop", 6)).await;
        fleet.pod("large", &["large"], &[]).await;
        fleet.pod_is_told("large", NO_ROOM).await;
        fleet.claim("at-once", Claim::new("orlop-immediate", 6)).await;
        let why = "pool fast on node n2, the roomiest on a node that may have the volume, has no room: \
                   6 GiB asked, 5 GiB free";
        fleet.claim_is_told("at-once", why).await;

        // As soon as there is room again, whoever still wants it gets it.
        fleet.delete_pod("large").await;
        fleet.delete_pod("steered").await;
        fleet.delete_claim("steered").await;
        assert_eq!(fleet.home_of("at-once").await, "n2");
    });
}

/// > The node that the scheduler has selected for the pod gets the volume, or no node does: it has checked no other
/// > for that pod. RESOURCE_EXHAUSTED makes it select again.
#[test]
fn a_selected_node_without_room_is_given_back_to_the_scheduler() {
    rig::alone(async |rig| {
        let fleet = Fleet::start(&rig, &[("n1", 3), ("n2", 10)]).await;
        let reads = async |capacity: bool| {
            let path = "/apis/storage.k8s.io/v1/csidrivers/csi.orlop.dev";
            let change = json!({ "spec": { "storageCapacity": capacity } });
            rig.api.patch(path, &change).await.unwrap();
        };
        // A scheduler that does not know how much room there is, as one that has heard of it too late.
        reads(false).await;
        fleet.claim("late", Claim::new("orlop", 5)).await;
        fleet.pod("late", &["late"], &["n1"]).await;
        let why = "pool fast on node n1 has no room: 5 GiB asked, 3 GiB free";
        fleet.claim_is_told("late", why).await;
        // The other node has room, and was not checked: nothing is made there until the scheduler selects it.
        let volumes = rig.api.get("/apis/orlop.dev/v1alpha1/volumes").await.unwrap();
        assert_eq!(volumes["items"], json!([]));
        reads(true).await;
        assert_eq!(fleet.node_of("late").await, "n2");
        assert_eq!(fleet.home_of("late").await, "n2");
    });
}

/// > A cordoned pool gets nothing new, neither by the scheduler nor by itself, and what it has stays and can be
/// > deleted, because it is to become empty and not to fail.
#[test]
fn a_cordoned_pool_gets_nothing_new() {
    rig::alone(async |rig| {
        let fleet = Fleet::start(&rig, &[("n1", 20), ("n2", 5)]).await;
        fleet.cordon("n1", true).await;
        fleet.until_published("n1", 0).await;
        fleet.claim("steered", Claim::new("orlop", 1)).await;
        fleet.pod("steered", &["steered"], &["n1"]).await;
        assert_eq!(fleet.node_of("steered").await, "n2");
        fleet.claim("at-once", Claim::new("orlop-immediate", 1)).await;
        assert_eq!(fleet.home_of("at-once").await, "n2");

        fleet.cordon("n2", true).await;
        fleet.until_published("n2", 0).await;
        fleet.claim("waits", Claim::new("orlop", 1)).await;
        fleet.pod("waits", &["waits"], &["n2"]).await;
        fleet.pod_is_told("waits", NO_ROOM).await;
        fleet.claim("no-pool", Claim::new("orlop-immediate", 1)).await;
        let why = "takes new volumes: each is cordoned, or its node is not ready";
        fleet.claim_is_told("no-pool", why).await;
        // What is there stays there, and can be deleted.
        fleet.delete_claim("at-once").await;

        fleet.cordon("n1", false).await;
        assert_eq!(fleet.node_of("waits").await, "n1");
        assert_eq!(fleet.home_of("no-pool").await, "n1");
    });
}
