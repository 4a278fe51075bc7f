//! The cluster, where the config names one: whether the API server answers, and what it knows of this node's pools.

use kube::Api;
use kube::api::ListParams;

use super::finding::Finding;
use crate::cluster::ask;
use crate::cluster::client::{self, Caller};
use crate::cluster::objects::{Home, Pool};
use crate::config::{Config, NodeId};
use crate::error::Error;

const ABOUT: &str = "cluster";

pub(super) async fn check(config: &Config, node: &NodeId) -> Vec<Finding> {
    let Some(cluster) = &config.cluster else { return Vec::new() };
    let client = match client::connect(Caller::Doctor, cluster.kubeconfig.as_deref()).await {
        Ok(client) => client,
        Err(error) => {
            let advice = "put that right: the driver does not start like this";
            return vec![Finding::error(ABOUT, super::sentence(&error), advice)];
        }
    };
    let here = ListParams::default().fields(&format!("spec.node={node}"));
    match ask("list Pools", Api::<Pool>::all(client).list(&here)).await {
        Ok(known) => {
            let pools = config.pools.iter();
            let all = pools
                .flat_map(|pool| of_pool(&Home::new(node.as_str(), &*pool.name), &known.items));
            std::iter::once(Finding::ok(ABOUT, "the API server answers")).chain(all).collect()
        }
        Err(refused) => {
            let advice = "until that is right nothing new is made here; what there is can be used";
            vec![Finding::error(ABOUT, Error::from(refused).sentence(), advice)]
        }
    }
}

/// What the cluster knows of a pool of the config.
fn of_pool(home: &Home, known: &[Pool]) -> Vec<Finding> {
    let (about, name) = (format!("pool {}", home.pool), home.object_name());
    let Some(object) = known.iter().find(|object| object.home() == *home) else {
        let found = format!("there is no Pool {name} in the cluster");
        return vec![Finding::warning(about, found, "start the driver: it makes it")];
    };
    let status = object.status.clone().unwrap_or_default();
    let mut findings = vec![Finding::ok(&*about, format!("is Pool {name} in the cluster"))];
    if object.spec.cordoned {
        let advice = "nothing new is put into it until spec.cordoned is false";
        findings.push(Finding::warning(&*about, "is cordoned", advice));
    }
    let count = status.orphan_count.unwrap_or_default();
    if count > 0 {
        let ids: Vec<&str> = status.orphans.iter().map(|orphan| &*orphan.id).collect();
        let found = format!("holds {count} things without an object: {}", ids.join(", "));
        let advice = "they are kept; `orlop adopt --manifests | kubectl create -f -` brings the objects back";
        findings.push(Finding::warning(about, found, advice));
    }
    findings
}
