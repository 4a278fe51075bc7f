//! The roles of a node: which `CSIDriver` a socket answers for.

use std::path::{Path, PathBuf};

use super::endpoint::Endpoint;
use super::file::{
    AllowEntry, ConfigRoleEntry, HostPathRoleEntry, PrefixEntry, RolesEntry, ScratchRoleEntry,
};
use super::mistake::Wrong;
use crate::volume::{Bytes, HostPathPrefix, HostPathType};

/// The roles, each with its socket if it has one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roles {
    /// The socket of the persistent volumes, where no flag and no variable names it.
    pub volumes: Option<Endpoint>,
    /// Inline emptyDir.
    pub scratch: ScratchRole,
    /// Inline configMap, secret and projected.
    pub config: ConfigRole,
    /// Inline hostPath.
    pub hostpath: HostPathRole,
    /// Whether an inline volume may be called by an id that kubelet does not give.
    pub any_volume_id: bool,
}

/// The role of inline emptyDirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScratchRole {
    /// Its socket; without one it is not served.
    pub endpoint: Option<Endpoint>,
    /// Where their content is; nothing for a directory in `stateDir`.
    pub path: Option<PathBuf>,
    /// The limit of a volume that names none.
    pub default_size: Bytes,
    /// The greatest limit that may be named.
    pub max_size: Option<Bytes>,
    /// What all volumes on the disk may have together.
    pub budget: Option<Bytes>,
    /// What users may ask for besides.
    pub allow: Vec<AllowEntry>,
}

/// The role of inline configMaps, secrets and projections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigRole {
    /// Its socket; without one it is not served.
    pub endpoint: Option<Endpoint>,
    /// What all volumes may have in memory together.
    pub max_bytes: Bytes,
    /// Whether a pod's tokens are taken from the volume's context.
    pub accept_token_in_context: bool,
    /// Whether kubelet is told when a volume that a pod has cannot be brought up to date.
    pub tell_republish_errors: bool,
}

/// The role of inline hostPaths.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostPathRole {
    /// Whether it is on.
    pub enabled: bool,
    /// Its socket; without one it is not served.
    pub endpoint: Option<Endpoint>,
    /// What pods may have.
    pub prefixes: Vec<HostPathPrefix>,
}

/// The directory of emptyDirs, where the config names none.
const SCRATCH: &str = "scratch";

/// What no pod gets, whatever the config says: whoever has it has the node.
const DENIED: [&str; 24] = [
    "/etc",
    "/proc",
    "/sys",
    "/dev",
    "/boot",
    "/run",
    "/var/run",
    "/root",
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/var/log",
    "/opt/cni",
    "/var/lib/etcd",
    "/var/lib/kubelet",
    "/var/lib/containerd",
    "/var/lib/containers",
    "/var/lib/cri-o",
    "/var/lib/docker",
    "/var/lib/dockershim",
    "/var/lib/cni",
    "/var/lib/orlop",
];

// === impl Roles ===

impl Roles {
    /// Says whether a role of inline volumes has a socket.
    pub(super) fn serve_inline(&self) -> bool {
        self.scratch.endpoint.is_some()
            || self.config.endpoint.is_some()
            || self.hostpath.endpoint.is_some()
    }

    /// Checks the entries.
    pub(super) fn check(entry: RolesEntry) -> Result<Self, Wrong> {
        Ok(Self {
            volumes: entry.volumes.endpoint,
            scratch: ScratchRole::check(entry.scratch)?,
            config: ConfigRole::check(entry.config)?,
            hostpath: HostPathRole::check(entry.hostpath)?,
            any_volume_id: entry.any_volume_id,
        })
    }

    /// Returns the roles that are wanted but have no socket, so that nobody serves them.
    pub fn without_endpoint(&self) -> Vec<&'static str> {
        let roles = [
            ("scratch", self.scratch.endpoint.is_none()),
            ("config", self.config.endpoint.is_none()),
            ("hostpath", self.hostpath.enabled && self.hostpath.endpoint.is_none()),
        ];
        roles.into_iter().filter(|(_, is_without)| *is_without).map(|(name, _)| name).collect()
    }
}

// === impl ScratchRole ===

impl ScratchRole {
    fn check(entry: ScratchRoleEntry) -> Result<Self, Wrong> {
        let usual = Self::default();
        let default_size = entry.default_size.unwrap_or(usual.default_size);
        let sizes = [
            ("defaultSize", Some(default_size)),
            ("maxSize", entry.max_size),
            ("budget", entry.budget),
        ];
        if let Some((key, _)) = sizes.into_iter().find(|(_, size)| *size == Some(Bytes::ZERO)) {
            let reason = "is 0: no volume can have that";
            return Err(Wrong::new(format!("roles.scratch.{key}"), reason));
        }
        if let Some(most) = entry.max_size.filter(|most| default_size > *most) {
            let reason = format!("{default_size} is more than maxSize, {most}");
            return Err(Wrong::new("roles.scratch.defaultSize", reason));
        }
        Ok(Self {
            endpoint: entry.endpoint,
            path: entry.path.map(|path| path.0),
            default_size,
            max_size: entry.max_size,
            budget: entry.budget,
            allow: entry.allow,
        })
    }

    /// Returns where their content is.
    pub fn path_in(&self, state_dir: &Path) -> PathBuf {
        self.path.clone().unwrap_or_else(|| state_dir.join(SCRATCH))
    }

    /// Says whether the admin allows it.
    pub fn allows(&self, what: AllowEntry) -> bool {
        self.allow.contains(&what)
    }
}

impl Default for ScratchRole {
    fn default() -> Self {
        Self {
            endpoint: None,
            path: None,
            default_size: Bytes::gib(10),
            max_size: None,
            budget: None,
            allow: Vec::new(),
        }
    }
}

// === impl ConfigRole ===

impl ConfigRole {
    fn check(entry: ConfigRoleEntry) -> Result<Self, Wrong> {
        let max_bytes = entry.max_bytes.unwrap_or(Self::default().max_bytes);
        if max_bytes == Bytes::ZERO {
            let reason = "is 0: no volume can have that";
            return Err(Wrong::new("roles.config.maxBytes", reason));
        }
        let accept_token_in_context = entry.accept_token_in_context;
        let tell_republish_errors = entry.tell_republish_errors;
        Ok(Self {
            endpoint: entry.endpoint,
            max_bytes,
            accept_token_in_context,
            tell_republish_errors,
        })
    }
}

impl Default for ConfigRole {
    fn default() -> Self {
        Self {
            endpoint: None,
            max_bytes: Bytes::mib(64),
            accept_token_in_context: false,
            tell_republish_errors: false,
        }
    }
}

// === impl HostPathRole ===

impl HostPathRole {
    fn check(entry: HostPathRoleEntry) -> Result<Self, Wrong> {
        if entry.endpoint.is_some() && !entry.enabled {
            let reason = "the role is off: set enabled: true, or leave its endpoint out";
            return Err(Wrong::new("roles.hostpath.endpoint", reason));
        }
        let numbered = entry.prefixes.into_iter().enumerate();
        let prefixes = numbered.map(|(index, entry)| {
            Self::prefix(entry).map_err(|(key, reason)| {
                Wrong::new(format!("roles.hostpath.prefixes[{index}].{key}"), reason)
            })
        });
        let prefixes = prefixes.collect::<Result<Vec<_>, _>>()?;
        for (index, prefix) in prefixes.iter().enumerate() {
            Self::is_alone(prefix, prefixes.iter().take(index)).map_err(|reason| {
                Wrong::new(format!("roles.hostpath.prefixes[{index}].namespaces"), reason)
            })?;
        }
        Ok(Self { enabled: entry.enabled, endpoint: entry.endpoint, prefixes })
    }

    /// A directory that a namespace had in two ways would be had in neither for sure.
    fn is_alone<'a>(
        prefix: &HostPathPrefix,
        before: impl Iterator<Item = &'a HostPathPrefix>,
    ) -> Result<(), String> {
        let mut alike = before.filter(|one| one.path == prefix.path);
        let both = alike.find_map(|one| {
            prefix.namespaces.iter().find(|namespace| one.namespaces.contains(namespace))
        });
        match both {
            None => Ok(()),
            Some(namespace) => Err(format!(
                "{namespace:?} has {} by a prefix before this one: name it in one of the two",
                prefix.path.display()
            )),
        }
    }

    /// What no pod gets, whatever is allowed.
    pub fn denied() -> impl Iterator<Item = &'static Path> {
        DENIED.iter().map(Path::new)
    }

    fn prefix(entry: PrefixEntry) -> Result<HostPathPrefix, (&'static str, String)> {
        let path = entry.path.0;
        let overlaps = |denied: &&Path| path.starts_with(denied) || denied.starts_with(&path);
        if let Some(denied) = Self::denied().find(overlaps) {
            let (path, denied) = (path.display(), denied.display());
            let reason = format!(
                "{path} and {denied} overlap: whoever has that has the node, so no config allows it"
            );
            return Err(("path", reason));
        }
        if entry.namespaces.is_empty() {
            let reason = "names no namespace: list those whose pods may, or \"*\" for any";
            return Err(("namespaces", reason.to_owned()));
        }
        Ok(HostPathPrefix {
            path,
            namespaces: entry.namespaces,
            types: entry.types.unwrap_or_else(|| vec![HostPathType::Directory]),
            read_only: entry.read_only,
            follow_symlinks: entry.follow_symlinks,
        })
    }
}
