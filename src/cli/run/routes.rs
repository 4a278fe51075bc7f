//! Which services a mode serves.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::{Opened, Setup};
use crate::admin::Admin;
use crate::backend::{Enforcer, Freed};
use crate::config::Pool;
use crate::controller::{self, Controller};
use crate::csi::admin::admin_server::AdminServer;
use crate::csi::v1::controller_server::ControllerServer;
use crate::csi::v1::group_controller_server::GroupControllerServer;
use crate::csi::v1::identity_server::IdentityServer;
use crate::csi::v1::node_server::NodeServer;
use crate::csi::v1::snapshot_metadata_server::SnapshotMetadataServer;
use crate::identity::Identity;
use crate::locks::Locks;
use crate::logging::Levels;
use crate::node::{self, Limiter, Node};
use crate::server::Services;

/// Which services one process serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Mode {
    /// Both.
    All,
    /// The Controller service, and the one for groups.
    Controller,
    /// The Node service.
    Node,
}

/// What is served on the two sockets.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) csi: Services,
    pub(super) admin: Services,
}

/// Returns what enforces the limits of volumes, where that is this process.
pub(super) fn limiter(setup: &Setup, opened: &Opened, locks: &Locks) -> Option<Arc<Limiter>> {
    (setup.mode != Mode::Controller)
        .then(|| Limiter::start(opened.pools.clone(), Arc::clone(&opened.host), locks.clone()))
}

/// Returns the services of the mode, which share the pools and the locks.
pub(super) fn of(
    setup: &Setup,
    opened: Opened,
    locks: &Locks,
    limiter: Option<Arc<Limiter>>,
    freed: Freed,
    levels: Levels,
) -> Served {
    // The pools are open before anything is answered, so whoever gets an answer gets this one.
    let ready = Arc::new(AtomicBool::new(true));
    let identity = Identity::new(ready).telling_changes(tells_changes(setup, &opened));
    let mut csi = Services::of(IdentityServer::new(identity));
    if setup.mode != Mode::Node {
        let enforcer = limiter.clone().map(|limiter| limiter as Arc<dyn Enforcer>);
        let controller = controller(setup, &opened, locks, enforcer);
        if !setup.is_joined() {
            csi = csi.and(SnapshotMetadataServer::new(controller.clone()));
        }
        csi = csi.and(GroupControllerServer::new(controller.clone()));
        csi = csi.and(ControllerServer::new(controller));
    }
    if let Some(limiter) = limiter {
        csi = csi.and(NodeServer::new(node(setup, &opened, locks, limiter, freed)));
    }
    let admin = Admin::new(opened.pools, locks.clone(), levels);
    Served { csi, admin: Services::of(AdminServer::new(admin)) }
}

/// Returns whether the deployment tells changed blocks. All its processes must say the same: where they are several,
/// only the config is the same for all of them, and it says enough where a pool has an XFS of its own.
fn tells_changes(setup: &Setup, opened: &Opened) -> bool {
    let by_config = setup.config.pools.iter().any(Pool::has_its_own_xfs);
    if setup.is_joined() {
        // The controller has no pool, and nobody else is asked by the backup software.
        return false;
    }
    by_config || (setup.mode == Mode::All && opened.pools.tell_changes())
}

fn controller(
    setup: &Setup,
    opened: &Opened,
    locks: &Locks,
    enforcer: Option<Arc<dyn Enforcer>>,
) -> Controller {
    Controller::new(controller::Settings {
        pools: Arc::clone(&opened.all),
        locks: locks.clone(),
        attach: setup.config.attach.unwrap_or(setup.mode == Mode::All),
        max_volumes_per_node: setup.config.max_volumes_per_node,
        attaching: tokio::sync::Mutex::default(),
        default_size: setup.config.default_size,
        enforcer,
    })
}

fn node(
    setup: &Setup,
    opened: &Opened,
    locks: &Locks,
    limiter: Arc<Limiter>,
    freed: Freed,
) -> Node {
    Node::new(node::Settings {
        pools: opened.pools.clone(),
        locks: locks.clone(),
        host: Arc::clone(&opened.host),
        limiter,
        freed,
        node: setup.node.to_string(),
        max_volumes_per_node: setup.config.max_volumes_per_node,
    })
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "controller and node",
            Self::Controller => "controller",
            Self::Node => "node",
        })
    }
}
