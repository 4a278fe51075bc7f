//! From the config to the kind: what pods may have of the host.

use std::path::PathBuf;

use crate::config::{self, Config};
use crate::ephemeral::hostpath::HostPath;
use crate::error::Result;

/// Returns what serves the prefixes of the config. Kubelet's directory, the driver's own and the pools are denied
/// besides what always is.
pub(super) fn kind(config: &Config) -> Result<HostPath> {
    HostPath::new(config.roles.hostpath.prefixes.clone(), denied(config))
}

/// What no pod gets on this node.
fn denied(config: &Config) -> Vec<PathBuf> {
    let own = [config.kubelet_root.clone(), config.state_dir.clone()];
    let own = own.into_iter().chain(config.roles.scratch.path.clone());
    let pools = config.pools.iter().filter_map(|pool| match &pool.kind {
        config::Kind::Image(pool) => Some(pool.key_and_path().1.to_owned()),
        config::Kind::Memory { .. } => None,
    });
    let denied = config::HostPathRole::denied().map(ToOwned::to_owned);
    denied.chain(own).chain(pools).collect()
}
