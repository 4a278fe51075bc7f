//! Nodes: whether each is there and ready, and nothing else of them.

use std::fmt;

use kube::api::ListParams;
use kube::core::ObjectMeta;
use kube::{Api, Resource};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Shared;
use crate::cluster::ask;
use crate::cluster::objects::{Home, Pool};
use crate::error::Result;

/// As much of a Node as anybody here asks for.
#[derive(Debug, Clone, Deserialize, Resource)]
#[resource(inherit = "k8s_openapi::api::core::v1::Node")]
pub(super) struct Node {
    metadata: ObjectMeta,
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Status {
    #[serde(default)]
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone, Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
}

// === impl Node ===

impl Node {
    /// Returns whether the node answers, as Kubernetes has it.
    pub(super) fn is_ready(&self) -> bool {
        self.status.conditions.iter().any(|one| one.kind == "Ready" && one.status == "True")
    }
}

// === impl Shared ===

impl Shared {
    /// Returns whether the node is there and answers.
    pub(super) fn is_ready(&self, node: &str) -> bool {
        self.nodes.get(node).is_some_and(|ready| *ready)
    }

    /// Returns whether the node is in the cluster. One that is not known is asked for.
    pub(super) async fn has_node(&self, node: &str) -> Result<bool> {
        Ok(self.nodes.get(node).is_some() || self.one::<Node>(node).await?.is_some())
    }

    /// Returns whether nothing of what was in the pool with this UUID can come back, as far as it is known here. Whoever
    /// would take something away for that asks [`Self::lost`].
    pub(super) fn seems_lost(&self, home: &Home, uuid: Option<&str>) -> bool {
        let is_another = |uuid| self.has_another(&home.object_name(), uuid);
        self.nodes.get(&home.node).is_none() || uuid.is_some_and(is_another)
    }

    /// Returns why nothing of what was in the pool with this UUID can come back, if that is so: its node is gone from
    /// the cluster, or has been made anew under its old name. A node that is away is neither.
    ///
    /// It is asked for, and not only looked up: who believes this takes an object away.
    pub(super) async fn lost(&self, home: &Home, uuid: Option<&str>) -> Result<Option<String>> {
        let (node, pool) = (&home.node, home.object_name());
        if !self.has_node(node).await? {
            return Ok(Some(format!("node {node} is not in the cluster any more")));
        }
        let Some(uuid) = uuid.filter(|uuid| self.has_another(&pool, uuid)) else { return Ok(None) };
        let is = self.one::<Pool>(&pool).await?.and_then(|pool| pool.status?.uuid);
        let is_another = is.is_some_and(|is| is != *uuid);
        Ok(is_another.then(|| format!("{home} has been made anew, and has nothing of the old one")))
    }

    /// Returns the object as it is now. Listing is all that is allowed here, and enough.
    async fn one<K>(&self, name: &str) -> Result<Option<K>>
    where
        K: Resource<DynamicType = ()> + Clone + fmt::Debug + DeserializeOwned,
    {
        let (api, named) = (Api::<K>::all(self.client.clone()), format!("metadata.name={name}"));
        let which = ListParams::default().fields(&named);
        let found = ask(&format!("read {} {name}", K::kind(&())), api.list(&which)).await?;
        Ok(found.items.into_iter().next())
    }

    /// Returns whether the pool of that name is known to have another UUID than this.
    pub(super) fn has_another(&self, pool: &str, uuid: &str) -> bool {
        let known = self.pools.get(pool);
        let is = known.as_ref().and_then(|pool| pool.status.as_ref()?.uuid.as_deref());
        is.is_some_and(|is| is != uuid)
    }
}
