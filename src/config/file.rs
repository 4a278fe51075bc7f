//! The file as an admin writes it: every key with its type, none of them looked at any further.
//!
//! What the keys mean together is checked in [`super::pool`], [`super::roles`] and [`super::Config`].

use serde::Deserialize;

use super::endpoint::Endpoint;
use super::metrics::MetricsAddress;
use super::node_id::NodeId;
use super::share::{Share, Times};
use super::text::{AbsolutePath, Period, parsed_if_there};
use crate::volume::{Bytes, HostPathType};

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) node_id: Option<NodeId>,
    pub(super) attach: Option<Switch>,
    pub(super) max_volumes_per_node: u32,
    #[serde(deserialize_with = "parsed_if_there")]
    pub(super) default_size: Option<Bytes>,
    #[serde(deserialize_with = "parsed_if_there")]
    pub(super) freeze_limit: Option<Period>,
    #[serde(deserialize_with = "parsed_if_there")]
    pub(super) shutdown_grace: Option<Period>,
    pub(super) kubelet_root: Option<AbsolutePath>,
    pub(super) state_dir: Option<AbsolutePath>,
    pub(super) require_shared_mounts: bool,
    pub(super) program_dirs: Option<Vec<AbsolutePath>>,
    pub(super) metrics: MetricsEntry,
    pub(super) pools: Option<Vec<PoolEntry>>,
    pub(super) roles: RolesEntry,
    pub(super) registration: Option<Switch>,
    pub(super) cluster: Option<ClusterEntry>,
}

/// The cluster whose custom resources join controller and nodes.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct ClusterEntry {
    pub(super) kubeconfig: Option<AbsolutePath>,
}

/// A switch, as people write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Switch {
    #[serde(alias = "true")]
    On,
    #[serde(alias = "false")]
    Off,
}

/// One entry of `pools`, of any kind.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PoolEntry {
    pub(super) name: String,
    pub(super) kind: KindEntry,
    pub(super) device: Option<AbsolutePath>,
    pub(super) file: Option<AbsolutePath>,
    pub(super) path: Option<AbsolutePath>,
    #[serde(default, deserialize_with = "parsed_if_there")]
    pub(super) size: Option<Bytes>,
    pub(super) shared: Option<SharedEntry>,
    pub(super) provisioning: Option<ProvisioningEntry>,
    pub(super) ratio: Option<Times>,
    pub(super) low_water: Option<Share>,
    pub(super) reserve: Option<Share>,
    pub(super) when_full: Option<WhenFullEntry>,
}

/// What kind of pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum KindEntry {
    Image,
    Memory,
}

/// The consent that others may fill the file system of a thick pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum SharedEntry {
    Accepted,
}

/// What a size promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ProvisioningEntry {
    Thick,
    Thin,
}

/// What happens to writers when a thin pool has no block left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum WhenFullEntry {
    Fail,
    Pause,
}

/// What is served to whoever watches.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct MetricsEntry {
    #[serde(deserialize_with = "parsed_if_there")]
    pub(super) address: Option<MetricsAddress>,
    pub(super) max_volumes: Option<u32>,
}

/// The roles of a node.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct RolesEntry {
    pub(super) volumes: RoleEntry,
    pub(super) scratch: ScratchRoleEntry,
    pub(super) config: ConfigRoleEntry,
    pub(super) hostpath: HostPathRoleEntry,
    pub(super) any_volume_id: bool,
}

/// A role with nothing but a socket.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct RoleEntry {
    #[serde(deserialize_with = "parsed_if_there")]
    pub(super) endpoint: Option<Endpoint>,
}

/// The role of inline emptyDirs.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct ScratchRoleEntry {
    #[serde(deserialize_with = "parsed_if_there")]
    pub(super) endpoint: Option<Endpoint>,
    pub(super) path: Option<AbsolutePath>,
    #[serde(deserialize_with = "parsed_if_there")]
    pub(super) default_size: Option<Bytes>,
    #[serde(deserialize_with = "parsed_if_there")]
    pub(super) max_size: Option<Bytes>,
    #[serde(deserialize_with = "parsed_if_there")]
    pub(super) budget: Option<Bytes>,
    pub(super) allow: Vec<AllowEntry>,
}

/// What the admin may allow the users of scratch volumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AllowEntry {
    /// A directory without a limit.
    NoLimit,
    /// Limits that are kept by simple quotas of btrfs.
    Squota,
    /// Programs that run as their owner.
    Suid,
    /// Device nodes.
    Dev,
}

/// The role of inline configMaps, secrets and projections.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct ConfigRoleEntry {
    #[serde(deserialize_with = "parsed_if_there")]
    pub(super) endpoint: Option<Endpoint>,
    #[serde(deserialize_with = "parsed_if_there")]
    pub(super) max_bytes: Option<Bytes>,
    pub(super) accept_token_in_context: bool,
    pub(super) tell_republish_errors: bool,
}

/// The role of inline host paths.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct HostPathRoleEntry {
    #[serde(deserialize_with = "parsed_if_there")]
    pub(super) endpoint: Option<Endpoint>,
    pub(super) enabled: bool,
    pub(super) prefixes: Vec<PrefixEntry>,
}

/// A part of the host that pods may have.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PrefixEntry {
    pub(super) path: AbsolutePath,
    pub(super) namespaces: Vec<String>,
    pub(super) types: Option<Vec<HostPathType>>,
    #[serde(default)]
    pub(super) read_only: bool,
    #[serde(default)]
    pub(super) follow_symlinks: bool,
}
