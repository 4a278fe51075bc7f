//! The name of this node: what CSI calls the node id, which also makes the value of the topology key.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer};

use super::text::parsed;

/// As long as the name of a Kubernetes node can be, and within the 256 bytes that CSI allows.
const MOST: usize = 253;

/// The id of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeId(String);

/// A text that cannot be a node id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} cannot be a node id: use 1 to {MOST} letters, digits, `-`, `_` and `.`, with a letter or digit first and last"
)]
pub struct NotANodeId(String);

/// A host name that does not serve as a node id.
#[derive(Debug, thiserror::Error)]
pub enum NoHostName {
    /// The kernel does not tell it.
    #[error("cannot read the host name: set --node-id")]
    Unknown(#[source] nix::Error),
    /// It has another form.
    #[error("the host name does not serve as the node id: set --node-id")]
    Unfit(#[source] NotANodeId),
}

// === impl NodeId ===

impl NodeId {
    /// Returns the host name, which is the node id where nothing else is said.
    pub fn of_this_host() -> Result<Self, NoHostName> {
        let name = nix::unistd::gethostname().map_err(NoHostName::Unknown)?;
        name.to_string_lossy().parse().map_err(NoHostName::Unfit)
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NodeId {
    type Err = NotANodeId;

    fn from_str(text: &str) -> Result<Self, NotANodeId> {
        let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        let all = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        if text.len() <= MOST && all && ends(text.chars().next()) && ends(text.chars().next_back())
        {
            return Ok(Self(text.to_owned()));
        }
        Err(NotANodeId(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for NodeId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        parsed(from)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_id_is_what_a_node_can_be_called_and_begins_a_topology_value() {
        let longest = "n".repeat(MOST);
        for good in ["n", "n1", "node-1.example_x", "N1", longest.as_str()] {
            assert_eq!(good.parse::<NodeId>().unwrap().as_str(), good);
        }
        let too_long = "n".repeat(MOST + 1);
        for bad in ["", "-n", "n-", ".n", "n 1", "n/1", "nö", too_long.as_str()] {
            assert!(bad.parse::<NodeId>().is_err(), "{bad}");
        }
    }
}
