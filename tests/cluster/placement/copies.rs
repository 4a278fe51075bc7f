//! A copy is where its source is, and its pod goes there.

use super::fleet::{Claim, Fleet};
use crate::rig::{self, Rig};

/// What the scheduler says of a node that a volume of the pod cannot be reached from.
const NOT_THERE: &str = "didn't match PersistentVolume's node affinity";

/// A fleet whose node `n1` has a snapshot `cut` of the claim `source`, which no pod uses.
async fn with_a_snapshot(rig: &Rig, nodes: &[(&str, u32)]) -> Fleet {
    let mut fleet = Fleet::start(rig, nodes).await;
    fleet.with_snapshots();
    fleet.claim("source", Claim::new("orlop", 1)).await;
    fleet.pod("first", &["source"], &["n1"]).await;
    assert_eq!(fleet.node_of("first").await, "n1");
    fleet.snapshot("cut", "source").await;
    fleet.delete_pod("first").await;
    fleet
}

/// > The pod of a copy goes to the node of the source, because the scheduler keeps to where a volume is, also when it
/// > had selected another node before.
///
/// > A copy and a new volume of one pod are on one node where the class of the copy is `Immediate`, because then it
/// > is known where the copy is before a node is selected. Where both wait for the pod, another node may be selected,
/// > for the scheduler knows nothing of sources; then the pod says that it cannot reach both, and the new volume,
/// > deleted and made again, follows the copy.
#[test]
fn a_pod_goes_to_the_node_of_the_source_of_its_copy() {
    rig::alone(async |rig| {
        let fleet = with_a_snapshot(&rig, &[("n1", 10), ("n2", 20)]).await;
        // The scheduler selects the other node first, and then follows the volume.
        fleet.claim("restored", Claim::of("orlop", 1, "cut")).await;
        fleet.pod("alone", &["restored"], &["n2"]).await;
        assert_eq!(fleet.home_of("restored").await, "n1");
        assert_eq!(fleet.node_of("alone").await, "n1");

        // With a new volume beside it: the copy is made before a node is selected, and the new one follows.
        fleet.claim("before", Claim::of("orlop-immediate", 1, "cut")).await;
        fleet.claim("beside", Claim::new("orlop", 1)).await;
        fleet.pod("both", &["before", "beside"], &["n2"]).await;
        assert_eq!(fleet.node_of("both").await, "n1");
        assert_eq!(fleet.home_of("before").await, "n1");
        assert_eq!(fleet.home_of("beside").await, "n1");

        // Where both wait for a node to be selected, it may be the other one.
        fleet.claim("late", Claim::of("orlop", 1, "cut")).await;
        fleet.claim("new", Claim::new("orlop", 1)).await;
        fleet.pod("torn", &["late", "new"], &["n2"]).await;
        assert_eq!(fleet.home_of("late").await, "n1");
        assert_eq!(fleet.home_of("new").await, "n2");
        fleet.pod_is_told("torn", NOT_THERE).await;
        // The new one holds nothing yet; made once more, it follows the copy.
        fleet.delete_pod("torn").await;
        fleet.delete_claim("new").await;
        fleet.claim("new", Claim::new("orlop", 1)).await;
        fleet.pod("whole", &["late", "new"], &["n2"]).await;
        assert_eq!(fleet.node_of("whole").await, "n1");
        assert_eq!(fleet.home_of("new").await, "n1");
    });
}

/// > A copy whose class does not allow the node of its source is INVALID_ARGUMENT, and names that node and what to
/// > change, because to ask again or elsewhere would be in vain.
///
/// > A copy that the pool of its source has no room for is RESOURCE_EXHAUSTED, and names the pool, what was asked and
/// > what is free, because it is made as soon as there is room.
#[test]
fn a_copy_that_cannot_be_where_its_source_is_says_why() {
    rig::alone(async |rig| {
        let fleet = with_a_snapshot(&rig, &[("n1", 3), ("n2", 20)]).await;
        rig.apply(ON_N2);
        fleet.claim("elsewhere", Claim::of("on-n2", 1, "cut")).await;
        let why = "the source is in pool fast on node n1, where a copy has to be, too, and no requisite term includes \
                   that node: allow n1 in allowedTopologies";
        fleet.claim_is_told("elsewhere", why).await;
        fleet.claim("large", Claim::of("orlop-immediate", 2, "cut")).await;
        let why = "pool fast on node n1 has no room: 2 GiB asked, 1 GiB free";
        fleet.claim_is_told("large", why).await;
        let volumes = rig.api.get("/apis/orlop.dev/v1alpha1/volumes").await.unwrap();
        assert_eq!(volumes["items"].as_array().unwrap().len(), 1, "only the source is there");

        // Once there is room, the claim gets its volume by itself.
        fleet.delete_claim("source").await;
        assert_eq!(fleet.home_of("large").await, "n1");
    });
}

const ON_N2: &str = "
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: on-n2}
provisioner: csi.orlop.dev
parameters: {pool: fast}
volumeBindingMode: Immediate
allowedTopologies:
  - matchLabelExpressions: [{key: topology.csi.orlop.dev/node, values: [n2]}]
";
