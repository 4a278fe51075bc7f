//! Where a local volume can be used: on one node, named by one topology key.

use crate::csi::v1;
use crate::error::{Error, Result};

/// The one topology key of the driver.
pub const TOPOLOGY_KEY: &str = "topology.csi.orlop.dev/node";

/// The node that a local pool's volumes live on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    node: String,
}

// === impl Topology ===

impl Topology {
    /// Returns the topology of the node.
    pub fn of_node(node: &str) -> Self {
        Self { node: node.to_owned() }
    }

    /// Returns the topology as CSI has it.
    pub fn to_csi(&self) -> v1::Topology {
        v1::Topology { segments: [(TOPOLOGY_KEY.to_owned(), self.node.clone())].into() }
    }

    /// Returns whether something that lives here is inside the segment; a segment of other keys alone is not
    /// ours to refuse. Keys are compared without regard to case, as the contract says.
    pub fn is_in(&self, segment: &v1::Topology) -> bool {
        let ours = |key: &String| key.eq_ignore_ascii_case(TOPOLOGY_KEY);
        segment.segments.iter().all(|(key, value)| !ours(key) || *value == self.node)
    }

    /// Returns whether the requirement names exactly this place and nothing else, so that whoever sent it knows
    /// already where the thing is.
    pub fn is_all_of(&self, required: Option<&v1::TopologyRequirement>) -> bool {
        let Some(required) = required else { return false };
        let here = self.to_csi();
        let mut terms = required.requisite.iter().chain(&required.preferred).peekable();
        terms.peek().is_some() && terms.all(|term| *term == here)
    }

    /// Checks that a volume here would be accessible as required.
    pub fn satisfies(&self, required: Option<&v1::TopologyRequirement>) -> Result<()> {
        let Some(required) = required else { return Ok(()) };
        let terms =
            if required.requisite.is_empty() { &required.preferred } else { &required.requisite };
        if terms.is_empty() || terms.iter().any(|term| self.is_in(term)) {
            return Ok(());
        }
        let reason = format!(
            "accessibility_requirements: no term includes node {}, where the pools of this driver are",
            self.node
        );
        Err(Error::Elsewhere { reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(pairs: &[(&str, &str)]) -> v1::Topology {
        let segments = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        v1::Topology { segments }
    }

    /// > A volume that is wanted where the driver has no pool is RESOURCE_EXHAUSTED, so that the scheduler looks
    /// > elsewhere.
    #[test]
    fn a_requirement_is_met_when_one_requisite_term_includes_the_node() {
        let here = Topology::of_node("n1");
        let need = |requisite: Vec<v1::Topology>, preferred: Vec<v1::Topology>| {
            here.satisfies(Some(&v1::TopologyRequirement { requisite, preferred })).is_ok()
        };
        assert!(here.satisfies(None).is_ok());
        assert!(need(vec![], vec![]));
        assert!(need(vec![here.to_csi()], vec![]));
        assert!(need(vec![term(&[("TOPOLOGY.csi.orlop.dev/Node", "n1")])], vec![]));
        assert!(need(
            vec![term(&[(TOPOLOGY_KEY, "n2")]), here.to_csi()],
            vec![term(&[(TOPOLOGY_KEY, "n2")])]
        ));
        assert!(!need(vec![term(&[(TOPOLOGY_KEY, "n2")])], vec![]));
        assert!(!need(vec![], vec![term(&[(TOPOLOGY_KEY, "n2")])]));
    }
    #[test]
    fn only_a_requirement_without_a_choice_knows_the_place() {
        let here = Topology::of_node("n1");
        let knows = |requisite: Vec<v1::Topology>, preferred: Vec<v1::Topology>| {
            here.is_all_of(Some(&v1::TopologyRequirement { requisite, preferred }))
        };
        assert!(!here.is_all_of(None));
        assert!(!knows(vec![], vec![]));
        assert!(knows(vec![here.to_csi()], vec![here.to_csi()]));
        assert!(!knows(vec![here.to_csi(), term(&[(TOPOLOGY_KEY, "n2")])], vec![here.to_csi()]));
        assert!(!knows(vec![term(&[(TOPOLOGY_KEY, "n1"), ("zone", "z")])], vec![]));
    }
}
