//! `orlop adopt`: this node may have the pool, although another node id is written in it.

use std::process::ExitCode;

use clap::Args;

use super::failure::Failure;
use super::options::ConfigOptions;
use super::{output, pools};
use crate::admin::client::{AdminError, connect};
use crate::backend::image::ImagePool;
use crate::config::Kind;
use crate::csi::admin::AdoptRequest;

/// Options of `orlop adopt`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Options {
    /// The pool, as the config names it.
    #[arg(value_name = "POOL")]
    pool: String,

    #[command(flatten)]
    config: ConfigOptions,
}

const EXAMPLES: &str = "\
A pool belongs to the node that made it, and a driver with another node id
refuses to start with it: the disk of a dead node may have been moved here, or a
new node may have been given an old name. When you know that no other machine
uses the pool any more, adopt it and start the driver again.

Example:
  orlop adopt fast --config /etc/orlop/orlop.yaml";

/// Adopts the pool, by way of the driver if one runs.
pub(super) async fn run(options: Options) -> Result<ExitCode, Failure> {
    let (config, node) = options.config.read()?;
    let known = config.pools.iter().find(|pool| pool.name == options.pool);
    let Some(pool) = known else {
        let names: Vec<&str> = config.pools.iter().map(|pool| pool.name.as_str()).collect();
        let text = format!(
            "there is no pool {:?} in the config; there is: {}",
            options.pool,
            names.join(", ")
        );
        return Err(Failure::misconfigured(text));
    };
    if let Some(mut driver) = connect(&config.admin_socket()?).await? {
        let request = AdoptRequest { pool: options.pool };
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
    let before = ImagePool::adopt(pools::settings(&config, &node, &pool.name, image)).await?;
    output::say(&if before == node.as_str() {
        format!("pool {} belonged to node {node} already", pool.name)
    } else {
        format!("pool {} belongs to node {node} now; it belonged to {before}", pool.name)
    })?;
    Ok(ExitCode::SUCCESS)
}
