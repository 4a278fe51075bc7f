//! Claims that wait for no pod: nobody has selected a node for them.

use super::fleet::{Claim, Fleet};
use crate::rig;

/// > A claim that waits for no pod goes to the pool with the most room whose node is ready and which is not cordoned,
/// > because nobody else has chosen, and so the nodes fill alike.
///
/// > Of the nodes that a class allows, a claim that waits for no pod goes to the first one alone, unless the class
/// > says `placement: any`: its request looks like that of a pod whose node is selected.
#[test]
fn a_class_says_whether_another_allowed_node_will_do() {
    rig::alone(async |rig| {
        let fleet = Fleet::start(&rig, &[("n1", 1), ("n2", 20), ("n3", 50)]).await;
        rig.apply(ALLOWED);
        // csi-provisioner turns the list by the claim's name; of two that are numbered each begins with another node.
        for claim in ["any-0", "any-1"] {
            fleet.claim(claim, Claim::new("any-of-two", 2)).await;
            assert_eq!(fleet.home_of(claim).await, "n2");
        }
        // A class that does not say so means the first alone.
        for claim in ["first-0", "first-1"] {
            fleet.claim(claim, Claim::new("first-of-two", 2)).await;
        }
        assert_eq!(fleet.home_of("first-0").await, "n2");
        let why = "pool fast on node n1 has no room: 2 GiB asked, 1 GiB free";
        fleet.claim_is_told("first-1", why).await;
        // Without a list, the pool with the most room.
        fleet.claim("roomiest", Claim::new("orlop-immediate", 2)).await;
        assert_eq!(fleet.home_of("roomiest").await, "n3");
    });
}

const ALLOWED: &str = "
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: any-of-two}
provisioner: csi.orlop.dev
parameters: {pool: fast, placement: any}
volumeBindingMode: Immediate
allowedTopologies:
  - matchLabelExpressions: [{key: topology.csi.orlop.dev/node, values: [n1, n2]}]
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: first-of-two}
provisioner: csi.orlop.dev
parameters: {pool: fast}
volumeBindingMode: Immediate
allowedTopologies:
  - matchLabelExpressions: [{key: topology.csi.orlop.dev/node, values: [n1, n2]}]
";
