//! Where a local volume can be used: on one node, named by one topology key.

mod requirement;

use super::shortened;
use crate::csi::v1;

pub use requirement::{Requirement, Term};

/// The one topology key of the driver.
pub const TOPOLOGY_KEY: &str = "topology.csi.orlop.dev/node";

/// A topology value is the value of a label of the node, and no longer than one.
const MOST: usize = 63;

/// The node that a local pool's volumes live on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    value: String,
}

// === impl Topology ===

impl Topology {
    /// Returns the topology of the node, which is the same in every process and for ever: PersistentVolumes and labels
    /// of nodes keep it.
    ///
    /// The value is the node's id. One that is longer than a topology value can be, as the name of a Kubernetes node
    /// can, is shortened.
    pub fn of_node(node: &str) -> Self {
        Self { value: shortened(node, MOST) }
    }

    /// Returns the value of the key.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Returns the topology as CSI has it.
    pub fn to_csi(&self) -> v1::Topology {
        v1::Topology { segments: [(TOPOLOGY_KEY.to_owned(), self.value.clone())].into() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_short_node_id_is_its_topology_value_and_a_long_one_is_shortened_for_ever_alike() {
        let longest = "n".repeat(MOST);
        assert_eq!(Topology::of_node("n1").value(), "n1");
        assert_eq!(Topology::of_node(&longest).value(), longest);
        // PersistentVolumes have it: another value would be another node.
        let long = "ip-10-0-0-1.compute.internal.a-zone.a-region.cloud.example.com-1";
        let value = "ip-10-0-0-1.compute.internal.a-c5c2b5e0062355a3cbe9f7bd687da022";
        assert_eq!(Topology::of_node(long).value(), value);
    }

    proptest! {
        #[test]
        fn any_node_has_a_label_value_of_its_own(
            one in "[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?", other in "[a-z0-9]([a-z0-9.-]{62,250}[a-z0-9])?",
        ) {
            let [value, its] = [&one, &other].map(|node| Topology::of_node(node).value().to_owned());
            for value in [&value, &its] {
                prop_assert!(value.len() <= MOST && !value.is_empty());
                prop_assert!(value.ends_with(|c: char| c.is_ascii_alphanumeric()));
            }
            prop_assert_eq!(value == its, one == other);
        }
    }
}
