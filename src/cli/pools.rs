//! The pools of the config, opened: what a driver does at start, and a verb that writes while no driver runs.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::timeout;

use super::failure::Failure;
use crate::backend::image::{self, ImagePool};
use crate::backend::late::Late;
use crate::backend::memory::Memory;
use crate::backend::{Local, LocalPool, Pools, Registry};
use crate::cluster;
use crate::cluster::client::Caller;
use crate::config::{self, Cluster, Config, Kind, NodeId};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::host::kernel::Kernel;
use crate::host::simulated::Simulated;
use crate::sys::{blocking, loopdev};
use crate::tool::Programs;

/// The directory below the state directory for the mounts that nobody else is to see.
pub(super) const MOUNTS: &str = "mounts";

/// The pools and the node they are on.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) pools: Registry,
    pub(super) host: Arc<dyn Host>,
    /// All that the Controller service answers for.
    pub(super) all: Arc<dyn Pools>,
}

/// Finds the pools of the cluster's nodes, when everything is known that there is. None is here.
pub(super) async fn of_cluster(cluster: &Cluster) -> std::result::Result<Opened, Failure> {
    let caller = Caller::Controller;
    let client = cluster::client::connect(caller, cluster.kubeconfig.as_deref()).await?;
    let all = Arc::new(cluster::controller::Cluster::start(client).await);
    Ok(Opened { pools: Registry::default(), host: Arc::new(Simulated::default()), all })
}

/// For how long a pool that is being opened may keep the others from being served. To replay the log of a large disk
/// can take longer: then it is served when it is done.
const PATIENCE: Duration = Duration::from_secs(10);

/// Opens all pools of the config, side by side. One whose disk is missing or does not answer is waited for while the
/// others are served; every other one that cannot be opened is an error that names it.
pub(super) async fn open(config: &Config, node: &NodeId) -> std::result::Result<Opened, Failure> {
    if !config.is_simulated() {
        mend_devices().await;
    }
    let simulated = Simulated::default();
    let open = |pool| open_one(config, node, pool, &simulated);
    let pools = try_join_all(config.pools.iter().map(open)).await?;
    let host: Arc<dyn Host> =
        if config.is_simulated() { Arc::new(simulated) } else { Arc::new(Kernel::default()) };
    let pools = Registry::new(pools);
    Ok(Opened { all: Arc::new(pools.clone()), pools, host })
}

async fn open_one(
    config: &Config,
    node: &NodeId,
    pool: &config::Pool,
    simulated: &Simulated,
) -> std::result::Result<LocalPool, Failure> {
    let name = &pool.name;
    let opened: Result<Arc<dyn Local>> = match &pool.kind {
        Kind::Memory { size } => Ok(Arc::new(Memory::new(name, *size, simulated.clone()))),
        Kind::Image(image) => open_image(settings(config, node, name, image)).await,
    };
    let backend = opened.map_err(|error| {
        Failure::failed(format!("cannot open pool {name}: {}", error.sentence()))
    })?;
    Ok(LocalPool::new(name, node.as_str(), backend))
}

/// Opens all pools of the config for a verb that writes, which is their one owner as long as it runs. To open a pool
/// that is not there would make it.
pub(super) async fn open_made(
    config: &Config,
    node: &NodeId,
) -> std::result::Result<Opened, Failure> {
    for pool in image_pools(config, node) {
        if !image::inspect::exists(&pool).await? {
            let text =
                format!("{} has not been made yet: start the driver first", pool.place_name());
            return Err(Failure::failed(text));
        }
    }
    open(config, node).await
}

/// An earlier driver may not have seen when its devices became free.
async fn mend_devices() {
    if let Err(failure) = blocking(loopdev::mend_all).await {
        tracing::warn!(cause = %failure.source, "{failure}");
    }
}

async fn open_image(settings: image::Settings) -> Result<Arc<dyn Local>> {
    let name = settings.name.clone();
    let open = move || {
        let settings = settings.clone();
        async move { Ok(ImagePool::open(settings).await? as Arc<dyn Local>) }
    };
    let mut opening = Box::pin(open());
    let (absent, being_opened) = match timeout(PATIENCE, &mut opening).await {
        Ok(Err(absent @ Error::Absent { .. })) => (absent, None),
        Ok(opened) => return opened,
        Err(_) => {
            let why = format!("its disk has not answered for {} s", PATIENCE.as_secs());
            (Error::Absent { place: format!("pool {name}"), why }, Some(opening))
        }
    };
    let why = absent.sentence();
    tracing::error!(why, "the other pools are served, and this one when it is there");
    Ok(Late::begin(&name, &absent, being_opened, open))
}

/// Returns what an image pool is told.
pub(super) fn settings(
    config: &Config,
    node: &NodeId,
    name: &str,
    pool: &config::ImagePool,
) -> image::Settings {
    image::Settings {
        name: name.to_owned(),
        node: node.to_string(),
        place: pool.place.clone(),
        provisioning: pool.provisioning,
        reserve: pool.reserve,
        low_water: pool.low_water,
        when_full: pool.when_full,
        mount_dir: config.state_dir.join(MOUNTS),
        require_shared_mounts: config.require_shared_mounts,
        freeze_limit: config.freeze_limit,
    }
}

/// Returns the settings of the image pools, in the order of the config.
pub(super) fn image_pools(config: &Config, node: &NodeId) -> Vec<image::Settings> {
    let of = |pool: &config::Pool| match &pool.kind {
        Kind::Image(image) => Some(settings(config, node, &pool.name, image)),
        Kind::Memory { .. } => None,
    };
    config.pools.iter().filter_map(of).collect()
}

/// Looks for the programs in the directories of the config, and makes what was found the process's own.
pub(super) fn find_programs(config: &Config) -> Programs {
    let programs = match &config.program_dirs {
        Some(directories) => Programs::find_in(directories),
        None => Programs::find(),
    };
    if programs.clone().share().is_err() {
        tracing::debug!("the programs were looked for before");
    }
    programs
}

/// Makes the state directory, which nobody else may look into.
pub(super) fn make_state_dir(path: &Path) -> std::result::Result<(), Failure> {
    use std::os::unix::fs::DirBuilderExt;

    const PRIVATE: u32 = 0o700;
    let made = std::fs::DirBuilder::new().recursive(true).mode(PRIVATE).create(path);
    made.map_err(|error| {
        Failure::failed(format!("cannot make stateDir {}: {error}", path.display()))
    })
}
