//! What is the matter with a volume: what its node has told, and what is the matter with the node.
//!
//! That a node is away or lost is written to no object: there may be thousands on it, and when it is back nothing has
//! changed.

use super::Shared;
use super::seen::Seen;
use crate::cluster::objects::Volume;
use crate::volume::{Condition, Reason};

// === impl Shared ===

impl Shared {
    /// Returns what is the matter with the volume, as far as it is known here.
    pub(super) fn conditions(&self, seen: &Seen<Volume>) -> Vec<Condition> {
        let (home, node) = (&seen.home, &seen.home.node);
        let lost = |why: String| vec![Condition::data_loss(Reason::NodeLost, why)];
        let Some(is_ready) = self.nodes.get(node) else {
            return lost(format!("node {node} is not in the cluster any more"));
        };
        let uuid = seen.pool_uuid.as_deref();
        if uuid.is_some_and(|uuid| self.has_another(&home.object_name(), uuid)) {
            return lost(format!("{home} has been made anew, and has nothing of the old one"));
        }
        let mut told = seen.health.to_vec();
        if !*is_ready {
            let why = format!("node {node} is not ready: what it told last may be old");
            told.push(Condition::inaccessible(Reason::NodeNotReady, why));
        }
        told
    }
}
