//! What a driver does in a cluster besides answering CSI.

use std::sync::Arc;

use super::{Mode, Setup};
use crate::backend::{Enforcer, Freed, Orphans, Registry};
use crate::cli::failure::Failure;
use crate::cluster::client::{self, Caller};
use crate::cluster::node::{Node, Settings};
use crate::locks::Locks;

impl Setup {
    /// Returns the way to the API server for a node of a cluster, or nothing where there is no cluster.
    pub(super) async fn cluster_of_node(&self) -> Result<Option<kube::Client>, Failure> {
        let cluster = self.config.cluster.as_ref().filter(|_| self.mode == Mode::Node);
        let Some(cluster) = cluster else { return Ok(None) };
        Ok(Some(client::connect(Caller::Node, cluster.kubeconfig.as_deref()).await?))
    }

    /// Begins to fulfil the wishes for the pools of this node.
    pub(super) fn fulfil(
        &self,
        client: kube::Client,
        pools: Registry,
        locks: &Locks,
        enforcer: Arc<dyn Enforcer>,
        (orphans, freed): (Orphans, Freed),
    ) -> Node {
        let (node, locks) = (self.node.to_string(), locks.clone());
        Node::start(Settings { client, node, pools, locks, enforcer, orphans, freed })
    }
}
