//! The roles of inline volumes: each with a socket of its own.

mod hostpath;

use std::error::Error;
use std::sync::Arc;

use super::{Mode, Setup};
use crate::cli::failure::Failure;
use crate::cluster::client::connect_for_pods;
use crate::config::{Allow, Config, Endpoint};
use crate::csi::v1::identity_server::IdentityServer;
use crate::csi::v1::node_server::NodeServer;
use crate::ephemeral::{Inline, Kind, Role, Settings, config, scratch};
use crate::locks::Locks;
use crate::rpc::Calls;
use crate::server::{Services, Socket};

/// Looks at the sockets of the roles before anything else is done.
pub(super) async fn check_sockets(setup: &Setup) -> Result<(), Failure> {
    for (_, endpoint) in served(setup) {
        Socket::check(endpoint).await?;
    }
    Ok(())
}

/// Returns the roles that have a socket, where this process is of a node.
fn served(setup: &Setup) -> Vec<(Role, &Endpoint)> {
    if setup.mode == Mode::Controller {
        return Vec::new();
    }
    let roles = &setup.config.roles;
    let all = [
        (Role::Scratch, roles.scratch.endpoint.as_ref()),
        (Role::Config, roles.config.endpoint.as_ref()),
        (Role::HostPath, roles.hostpath.endpoint.as_ref()),
    ];
    all.into_iter().filter_map(|(role, endpoint)| Some((role, endpoint?))).collect()
}

/// Opens what the roles have, and listens: on a socket for each, and on another by which kubelet hears of it.
pub(super) async fn open(
    setup: &Setup,
    locks: &Locks,
    calls: &Calls,
) -> Result<Vec<(Socket, Services)>, Failure> {
    let mut all = Vec::new();
    for (role, endpoint) in served(setup) {
        let inline = Inline::start(Settings {
            role,
            kind: kind(role, setup).await?,
            locks: locks.clone(),
            kubelet_root: setup.config.kubelet_root.clone(),
            state_dir: setup.config.state_dir.clone(),
            node: setup.node.to_string(),
            // Nothing of the other roles is ever brought up to date.
            tells_republish_errors: setup.config.roles.config.tell_republish_errors,
            takes_any_id: setup.config.roles.any_volume_id,
            masked: calls.masked().clone(),
        });
        let inline = inline.map_err(|why| failed(role, &why))?;
        let services =
            Services::of(IdentityServer::new(inline.clone())).and(NodeServer::new(inline));
        all.push((Socket::listen(endpoint).await?, services));
        all.extend(setup.registration(role.driver_name(), endpoint).await?);
        tracing::info!(%endpoint, driver = role.driver_name(), "serving the role {role}");
    }
    Ok(all)
}

/// Returns what makes the volumes of the role.
async fn kind(role: Role, setup: &Setup) -> Result<Arc<dyn Kind>, Failure> {
    match role {
        Role::Scratch => {
            let scratch = scratch::Scratch::new(of_scratch(&setup.config));
            Ok(Arc::new(scratch.map_err(|why| failed(role, &why))?))
        }
        Role::Config => Ok(Arc::new(config::Projections::new(of_config(setup).await))),
        Role::HostPath => {
            let hostpath = hostpath::kind(&setup.config);
            Ok(Arc::new(hostpath.map_err(|why| failed(role, &why))?))
        }
    }
}

fn of_scratch(config: &Config) -> scratch::Settings {
    let role = &config.roles.scratch;
    scratch::Settings {
        path: role.path_in(&config.state_dir),
        default_size: role.default_size,
        max_size: role.max_size,
        budget: role.budget,
        allows_no_limit: role.allows(Allow::NoLimit),
        squota: if role.allows(Allow::Squota) {
            scratch::Squota::Allowed
        } else {
            scratch::Squota::Forbidden
        },
        allows_suid: role.allows(Allow::Suid),
        allows_dev: role.allows(Allow::Dev),
    }
}

async fn of_config(setup: &Setup) -> config::Settings {
    let role = &setup.config.roles.config;
    let kubeconfig =
        setup.config.cluster.as_ref().and_then(|cluster| cluster.kubeconfig.as_deref());
    let client = connect_for_pods(kubeconfig).await.inspect_err(|why| {
        let cause = why.source().map(ToString::to_string);
        tracing::warn!(cause, "{why}: of inline volumes, only secrets of nodePublishSecretRef, podInfo and tokens can be shown");
    });
    config::Settings {
        api: client.ok().map(config::Api::new),
        node: setup.node.to_string(),
        max_bytes: Some(role.max_bytes),
        accept_token_in_context: role.accept_token_in_context,
    }
}

fn failed(role: Role, why: &crate::error::Error) -> Failure {
    Failure::failed(format!("the role {role} cannot be served: {}", why.sentence()))
}
