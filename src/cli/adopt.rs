//! `orlop adopt`: this node may have the pool, although another node id is written in it; or a cluster knows again what
//! lies in its pools.

mod manifests;

use std::process::ExitCode;

use clap::Args;

use super::failure::Failure;
use super::options::ConfigOptions;
use super::{output, pools, volumes};
use crate::admin::client::{AdminError, connect};
use crate::backend::image::ImagePool;
use crate::config::{Config, Kind, NodeId, Pool};
use crate::csi::admin::AdoptRequest;

/// Options of `orlop adopt`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Options {
    /// The pool, as the config names it.
    #[arg(value_name = "POOL", required_unless_present = "manifests")]
    pool: Option<String>,

    /// Change nothing, and print the custom resources of all volumes, snapshots and groups in the pool, or in all pools.
    #[arg(long)]
    manifests: bool,

    #[command(flatten)]
    config: ConfigOptions,
}

const EXAMPLES: &str = "\
A pool belongs to the node that made it, and a driver with another node id
refuses to start with it: the disk of a dead node may have been moved here, or a
new node may have been given an old name. When you know that no other machine
uses the pool any more, adopt it and start the driver again.

In a cluster, data whose object is gone stays where it is and is reported as an
orphan. With --manifests the objects are read from the pools' records, beside the
driver; it changes, mounts and locks nothing. Use `kubectl create`: it leaves
objects alone that are there, which `kubectl apply` would set back.

Examples:
  orlop adopt fast --config /etc/orlop/orlop.yaml
  orlop adopt --manifests | kubectl create -f -";

/// Adopts the pool, by way of the driver if one runs, or prints the objects.
pub(super) async fn run(options: Options) -> Result<ExitCode, Failure> {
    let (config, node) = options.config.read()?;
    let pool = options.pool.as_deref().map(|name| named(&config, name)).transpose()?;
    if options.manifests {
        volumes::refuse_simulated(&config)?;
        let mut pools = pools::image_pools(&config, &node);
        pools.retain(|one| pool.is_none_or(|pool| pool.name == one.name));
        return manifests::print(&pools).await;
    }
    match pool {
        Some(pool) => adopt(&config, &node, pool).await,
        None => Err(Failure::misconfigured("which pool? name one")),
    }
}

fn named<'a>(config: &'a Config, name: &str) -> Result<&'a Pool, Failure> {
    config.pools.iter().find(|pool| pool.name == name).ok_or_else(|| {
        let names: Vec<&str> = config.pools.iter().map(|pool| pool.name.as_str()).collect();
        let names = names.join(", ");
        Failure::misconfigured(format!(
            "there is no pool {name:?} in the config; there is: {names}"
        ))
    })
}

async fn adopt(config: &Config, node: &NodeId, pool: &Pool) -> Result<ExitCode, Failure> {
    if let Some(mut driver) = connect(&config.admin_socket()?).await? {
        let request = AdoptRequest { pool: pool.name.clone() };
        let answer = driver.adopt(request).await.map_err(AdminError::Refused)?;
        output::say(&answer.into_inner().message)?;
        return Ok(ExitCode::SUCCESS);
    }
    let Kind::Image(image) = &pool.kind else {
        return Err(Failure::misconfigured(format!(
            "pool {} is of kind memory: it belongs to nobody",
            pool.name
        )));
    };
    let before = ImagePool::adopt(pools::settings(config, node, &pool.name, image)).await?;
    output::say(&if before == node.as_str() {
        format!("pool {} belonged to node {node} already", pool.name)
    } else {
        format!("pool {} belongs to node {node} now; it belonged to {before}", pool.name)
    })?;
    Ok(ExitCode::SUCCESS)
}
