//! The places that a request allows, and which of them it likes best.

use std::fmt;

use super::{TOPOLOGY_KEY, Topology};
use crate::csi::v1;
use crate::error::{Error, Result};

/// Where something is to be accessible from, in the order of the request. Without any term that is everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Requirement {
    requisite: Vec<Term>,
    preferred: Vec<Term>,
}

/// One of the places: a node, or anywhere where it has keys of other drivers alone, which are not ours to refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// The topology value of the node.
    node: Option<String>,
    /// Whether it has other keys, too.
    says_more: bool,
}

// === impl Requirement ===

impl Requirement {
    /// Returns the requirement with these terms.
    pub fn new(requisite: Vec<Term>, preferred: Vec<Term>) -> Self {
        Self { requisite, preferred }
    }

    /// Reads the requirement of a request that makes something.
    pub fn of_csi(required: Option<&v1::TopologyRequirement>) -> Result<Self> {
        let Some(required) = required else { return Ok(Self::default()) };
        let read = |terms: &[v1::Topology]| -> Result<Vec<Term>> {
            terms.iter().map(|term| Term::of_csi("accessibility_requirements", term)).collect()
        };
        let (requisite, preferred) = (read(&required.requisite)?, read(&required.preferred)?);
        Ok(Self::new(requisite, preferred))
    }

    /// Reads the segment that GetCapacity asks about.
    pub fn of_segment(segment: Option<&v1::Topology>) -> Result<Self> {
        let term =
            segment.map(|segment| Term::of_csi("accessible_topology", segment)).transpose()?;
        Ok(Self::new(term.into_iter().collect(), Vec::new()))
    }

    /// Returns the places of which one has to be it.
    pub fn requisite(&self) -> &[Term] {
        &self.requisite
    }

    /// Returns the same places, or some of them, the best one first.
    pub fn preferred(&self) -> &[Term] {
        &self.preferred
    }

    /// Returns whether what is there is accessible as required. Where nothing is requisite, the preferred places are
    /// all that the caller knows of.
    pub fn admits(&self, place: &Topology) -> bool {
        let terms = if self.requisite.is_empty() { &self.preferred } else { &self.requisite };
        terms.is_empty() || terms.iter().any(|term| term.includes(place))
    }

    /// Returns whether the requirement names exactly this place and nothing else, so that whoever sent it knows
    /// already where the thing is.
    pub fn is_exactly(&self, place: &Topology) -> bool {
        let mut terms = self.requisite.iter().chain(&self.preferred).peekable();
        terms.peek().is_some() && terms.all(|term| !term.says_more && term.names(place))
    }
}

// === impl Term ===

impl Term {
    /// Returns the term for this place and nothing else.
    pub fn on(place: &Topology) -> Self {
        Self { node: Some(place.value().to_owned()), says_more: false }
    }

    /// Keys are compared without regard to case, as the contract says.
    fn of_csi(field: &'static str, term: &v1::Topology) -> Result<Self> {
        let is_ours = |key: &String| key.eq_ignore_ascii_case(TOPOLOGY_KEY);
        let mut ours = term.segments.iter().filter(|(key, _)| is_ours(key)).map(|(_, node)| node);
        let node = ours.next().cloned();
        if ours.any(|other| node.as_ref() != Some(other)) {
            let reason = format!("a term has {TOPOLOGY_KEY} twice, and is on no two nodes at once");
            return Err(Error::invalid(field, reason));
        }
        Ok(Self { node, says_more: term.segments.keys().any(|key| !is_ours(key)) })
    }

    /// Returns whether what is there is accessible from here.
    pub fn includes(&self, place: &Topology) -> bool {
        self.node.is_none() || self.names(place)
    }

    fn names(&self, place: &Topology) -> bool {
        self.node.as_deref() == Some(place.value())
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.node {
            Some(node) => write!(f, "node {}", node.escape_debug()),
            None => f.write_str("any node"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Topology {
        Topology::of_node("n1")
    }

    fn term(pairs: &[(&str, &str)]) -> v1::Topology {
        let segments = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        v1::Topology { segments }
    }

    fn on(node: &str) -> v1::Topology {
        term(&[(TOPOLOGY_KEY, node)])
    }

    fn read(requisite: Vec<v1::Topology>, preferred: Vec<v1::Topology>) -> Requirement {
        Requirement::of_csi(Some(&v1::TopologyRequirement { requisite, preferred })).unwrap()
    }

    /// > A volume that is wanted where the driver has no pool is RESOURCE_EXHAUSTED, so that the scheduler looks
    /// > elsewhere.
    #[test]
    fn a_requirement_is_met_when_one_requisite_term_includes_the_node() {
        let need = |requisite, preferred| read(requisite, preferred).admits(&here());
        assert!(Requirement::of_csi(None).unwrap().admits(&here()));
        assert!(need(vec![], vec![]));
        assert!(need(vec![here().to_csi()], vec![]));
        assert!(need(vec![term(&[("TOPOLOGY.csi.orlop.dev/Node", "n1")])], vec![]));
        assert!(need(vec![term(&[("zone", "z")])], vec![]));
        assert!(need(vec![on("n2"), here().to_csi()], vec![on("n2")]));
        assert!(!need(vec![on("n2")], vec![]));
        assert!(!need(vec![], vec![on("n2")]));
        assert!(!need(vec![term(&[(TOPOLOGY_KEY, "N1"), ("zone", "z")])], vec![]));
    }

    #[test]
    fn only_a_requirement_without_a_choice_knows_the_place() {
        let knows = |requisite, preferred| read(requisite, preferred).is_exactly(&here());
        assert!(!Requirement::of_csi(None).unwrap().is_exactly(&here()));
        assert!(!knows(vec![], vec![]));
        assert!(knows(vec![here().to_csi()], vec![here().to_csi()]));
        assert!(!knows(vec![here().to_csi(), on("n2")], vec![here().to_csi()]));
        assert!(!knows(vec![term(&[(TOPOLOGY_KEY, "n1"), ("zone", "z")])], vec![]));
        assert!(!knows(vec![term(&[("zone", "z")])], vec![]));
    }

    #[test]
    fn a_long_node_id_is_met_by_the_value_that_its_node_tells() {
        let node = "n".repeat(253);
        let told = Topology::of_node(&node).to_csi();
        assert!(read(vec![told.clone()], vec![]).is_exactly(&Topology::of_node(&node)));
        assert!(Requirement::of_segment(Some(&told)).unwrap().admits(&Topology::of_node(&node)));
        assert!(!read(vec![on(&node)], vec![]).admits(&Topology::of_node(&node)));
    }

    #[test]
    fn the_order_of_the_request_is_kept() {
        let names = |terms: &[Term]| terms.iter().map(ToString::to_string).collect::<Vec<_>>();
        let wanted = read(vec![on("b"), term(&[("zone", "z")]), on("a")], vec![on("a"), on("b")]);
        assert_eq!(names(wanted.requisite()), ["node b", "any node", "node a"]);
        assert_eq!(names(wanted.preferred()), ["node a", "node b"]);
    }

    #[test]
    fn a_term_that_is_on_two_nodes_at_once_is_refused() {
        let twice = term(&[(TOPOLOGY_KEY, "n1"), ("Topology.csi.orlop.dev/node", "n2")]);
        let refused = Requirement::of_segment(Some(&twice)).unwrap_err().sentence();
        assert!(refused.contains("accessible_topology: a term has"), "{refused}");
    }
}
