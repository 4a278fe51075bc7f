//! The one file that an admin writes: pools, roles, limits; each mistake named with its key and line.
//!
//! [`Config::read`] gives a config that cannot be wrong in itself. Whether a device or directory is there is
//! found out by whoever opens the pool.

mod endpoint;
mod file;
mod image_pool;
mod lines;
mod metrics;
mod mistake;
mod node_id;
mod pool;
mod read;
mod roles;
mod share;
mod text;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use endpoint::{Endpoint, NotAnEndpoint};
pub use file::AllowEntry as Allow;
pub use image_pool::ImagePool;
pub use metrics::{Metrics, MetricsAddress, NotAnAddress};
pub use mistake::{ConfigError, Mistake};
pub use node_id::{NoHostName, NodeId, NotANodeId};
pub use pool::{Kind, Pool};
pub use roles::{ConfigRole, HostPathRole, Roles, ScratchRole};

use crate::volume::Bytes;
use file::{File, Switch};
use lines::Lines;
use mistake::Wrong;

/// Where the pool is that there is when nothing is configured.
const TRIAL_PLACE: &str = "/var/lib/orlop";

/// Everything that an admin can say, with the defaults for what was not said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The name of this node; nothing for the host name.
    pub node_id: Option<NodeId>,
    /// Whether ControllerPublish is done; nothing for what the mode usually does.
    pub attach: Option<bool>,
    /// How many volumes a node may have attached; 0 for no limit.
    pub max_volumes_per_node: u32,
    /// The size of a volume for which none is asked.
    pub default_size: Bytes,
    /// How long a volume may be frozen for a copy.
    pub freeze_limit: Duration,
    /// How long a driver that is told to stop goes on with what began.
    pub shutdown_grace: Duration,
    /// The directory of kubelet, below which it publishes.
    pub kubelet_root: PathBuf,
    /// The directory for the admin socket and the driver's own mounts.
    pub state_dir: PathBuf,
    /// Whether mounts that others cannot see are an error at start.
    pub require_shared_mounts: bool,
    /// The directories where programs are looked for; nothing for the usual ones.
    pub program_dirs: Option<Vec<PathBuf>>,
    /// What is served to whoever watches the driver.
    pub metrics: Metrics,
    /// The pools, with names that differ; none where only inline volumes are served.
    pub pools: Vec<Pool>,
    /// The roles of the node.
    pub roles: Roles,
    /// Whether kubelet is told of the sockets by the driver itself.
    pub registration: bool,
    /// The cluster whose custom resources join controller and nodes, where they are.
    pub cluster: Option<Cluster>,
}

/// A Kubernetes cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// The file that leads to its API server; nothing where this is a pod of it.
    pub kubeconfig: Option<PathBuf>,
}

// === impl Config ===

impl Config {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Self::parse(path, &text).map_err(ConfigError::Mistake)
    }

    /// Reads the text of the file at `path`, which is named in mistakes.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Mistake> {
        let lines = Lines::of(text);
        let file = read::entries(path, text, &lines)?;
        Self::check(file).map_err(|wrong| wrong.in_file(path, &lines))
    }

    fn check(file: File) -> Result<Self, Wrong> {
        let usual = Self::default();
        let roles = Roles::check(file.roles)?;
        Ok(Self {
            node_id: file.node_id,
            attach: file.attach.map(|switch| switch == Switch::On),
            max_volumes_per_node: file.max_volumes_per_node,
            default_size: match file.default_size {
                Some(Bytes::ZERO) => {
                    return Err(Wrong::new("defaultSize", "is 0: no volume can have that"));
                }
                Some(size) => size,
                None => usual.default_size,
            },
            freeze_limit: positive("freezeLimit", file.freeze_limit, usual.freeze_limit)?,
            shutdown_grace: file.shutdown_grace.map_or(usual.shutdown_grace, |period| period.0),
            kubelet_root: file.kubelet_root.map_or(usual.kubelet_root, |path| path.0),
            state_dir: file.state_dir.map_or(usual.state_dir, |path| path.0),
            require_shared_mounts: file.require_shared_mounts,
            program_dirs: program_dirs(file.program_dirs)?,
            metrics: Metrics::of(file.metrics.address, file.metrics.max_volumes),
            pools: match file.pools {
                Some(entries) => Pool::check_all(entries, roles.serve_inline())?,
                None => usual.pools,
            },
            roles,
            registration: file.registration == Some(Switch::On),
            cluster: file
                .cluster
                .map(|cluster| Cluster { kubeconfig: cluster.kubeconfig.map(|path| path.0) }),
        })
    }

    /// Returns whether the pools are simulated ones: there are never both.
    pub fn is_simulated(&self) -> bool {
        self.pools.iter().any(|pool| matches!(pool.kind, Kind::Memory { .. }))
    }

    /// Returns where kubelet looks for plugins.
    pub fn plugin_registry(&self) -> PathBuf {
        self.kubelet_root.join("plugins_registry")
    }

    /// Returns the socket over which a running driver is asked to do what only it can do.
    pub fn admin_socket(&self) -> Result<Endpoint, NotAnEndpoint> {
        Endpoint::at(&self.state_dir.join("admin.sock"))
    }
}

impl Default for Config {
    /// Returns what holds when there is no file: one pool for trying the driver out.
    fn default() -> Self {
        Self {
            node_id: None,
            attach: None,
            max_volumes_per_node: 0,
            default_size: Bytes::gib(1),
            freeze_limit: Duration::from_secs(5),
            shutdown_grace: Duration::from_secs(20),
            kubelet_root: "/var/lib/kubelet".into(),
            state_dir: Path::new(TRIAL_PLACE).join("state"),
            require_shared_mounts: false,
            program_dirs: None,
            metrics: Metrics::default(),
            pools: vec![Pool::trial(TRIAL_PLACE.into())],
            roles: Roles::default(),
            registration: false,
            cluster: None,
        }
    }
}

fn positive(key: &str, found: Option<text::Period>, usual: Duration) -> Result<Duration, Wrong> {
    match found {
        Some(text::Period(Duration::ZERO)) => {
            Err(Wrong::new(key, "is 0: nothing could be done in that time"))
        }
        Some(text::Period(period)) => Ok(period),
        None => Ok(usual),
    }
}

fn program_dirs(found: Option<Vec<text::AbsolutePath>>) -> Result<Option<Vec<PathBuf>>, Wrong> {
    match found {
        Some(dirs) if dirs.is_empty() => Err(Wrong::new(
            "programDirs",
            "names no directory: leave the key out for the usual ones",
        )),
        Some(dirs) => Ok(Some(dirs.into_iter().map(|dir| dir.0).collect())),
        None => Ok(None),
    }
}
