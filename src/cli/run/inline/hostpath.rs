//! From the config to the kind: what pods may have of the host.

use std::path::PathBuf;

use crate::config::{self, Config};
use crate::ephemeral::hostpath::{self, HostPath};
use crate::error::Result;

/// Returns what serves the prefixes of the config. Kubelet's directory, the driver's own and the pools are denied
/// besides what always is.
pub(super) fn kind(config: &Config) -> Result<HostPath> {
    let (prefixes, denied) = of_hostpath(config);
    HostPath::new(prefixes, denied)
}

fn of_hostpath(config: &Config) -> (Vec<hostpath::Prefix>, Vec<PathBuf>) {
    let prefixes = config.roles.hostpath.prefixes.iter().map(|prefix| hostpath::Prefix {
        path: prefix.path.clone(),
        namespaces: prefix.namespaces.clone(),
        types: prefix.types.clone(),
        read_only: prefix.read_only,
        follow_symlinks: prefix.follow_symlinks,
    });
    let own = [config.kubelet_root.clone(), config.state_dir.clone()];
    let own = own.into_iter().chain(config.roles.scratch.path.clone());
    let pools = config.pools.iter().filter_map(|pool| match &pool.kind {
        config::Kind::Image(pool) => Some(pool.key_and_path().1.to_owned()),
        config::Kind::Memory { .. } => None,
    });
    let denied = config::Prefix::denied().map(ToOwned::to_owned);
    (prefixes.collect(), denied.chain(own).chain(pools).collect())
}
