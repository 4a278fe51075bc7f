//! The options that several verbs share. A flag beats its environment variable, which beats the config file.

use std::path::{Path, PathBuf};

use clap::Args;

use super::failure::Failure;
use super::output::OutputOption;
use crate::config::{Config, Endpoint, MetricsAddress, NodeId};
use crate::logging::{Filter, Format};

/// Returns the path as a driver in another directory understands it.
pub(super) fn absolute(path: &Path) -> Result<String, Failure> {
    let path = std::path::absolute(path)?;
    let not_text = || Failure::misconfigured(format!("{} is not UTF-8", path.display()));
    path.to_str().map(str::to_owned).ok_or_else(not_text)
}

/// Options of a driver.
#[derive(Debug, Args)]
pub(super) struct DriverOptions {
    /// The Unix socket to serve, as `unix:///a/b`, `unix:/a/b` or `/a/b`.
    ///
    /// Its directory must exist. `orlop all` serves `unix:///run/orlop/csi.sock` where nothing else is said, and
    /// makes that directory. The socket can be reached by its owner alone.
    #[arg(long, env = "CSI_ENDPOINT", value_name = "ENDPOINT")]
    pub(super) endpoint: Option<Endpoint>,

    #[command(flatten)]
    pub(super) config: ConfigOptions,

    /// Where to serve /metrics, /healthz and /readyz over HTTP, such as `127.0.0.1:9790`, or `:9790` for all
    /// addresses [default: nowhere].
    ///
    /// Whoever can connect can read the names and sizes of volumes.
    #[arg(long, env = "ORLOP_METRICS_ADDRESS", value_name = "ADDRESS")]
    pub(super) metrics_address: Option<MetricsAddress>,

    /// The form of log lines, which go to stderr.
    #[arg(long, env = "ORLOP_LOG_FORMAT", value_enum, default_value_t, value_name = "FORMAT")]
    pub(super) log_format: Format,

    /// What to log: a level, with exceptions if you like, such as `info,orlop::node=debug`.
    ///
    /// The levels are off, error, warn, info, debug and trace. `orlop log-level` changes it while the driver runs.
    #[arg(long, env = "ORLOP_LOG_LEVEL", default_value = "info", value_name = "FILTER")]
    pub(super) log_level: Filter,
}

/// Options of a verb that looks at the pools and prints what it saw.
#[derive(Debug, Args)]
pub(super) struct LookOptions {
    #[command(flatten)]
    pub(super) config: ConfigOptions,

    #[command(flatten)]
    pub(super) output: OutputOption,
}

/// Options that say which pools are meant and which node this is.
#[derive(Debug, Args)]
pub(super) struct ConfigOptions {
    /// The config file; without one there is a single pool named default in /var/lib/orlop.
    #[arg(long, env = "ORLOP_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,

    /// The id of this node, which its volumes are bound to [default: the host name].
    #[arg(long, env = "NODE_ID", value_name = "ID")]
    node_id: Option<NodeId>,
}

// === impl ConfigOptions ===

impl ConfigOptions {
    /// Reads the config and returns it with the id of this node.
    pub(super) fn read(&self) -> Result<(Config, NodeId), Failure> {
        let config = match &self.config {
            Some(path) => Config::read(path)?,
            None => Config::default(),
        };
        let node = match self.node_id.as_ref().or(config.node_id.as_ref()) {
            Some(node) => node.clone(),
            None => NodeId::of_this_host()?,
        };
        Ok((config, node))
    }
}
