//! Pools: what a node tells the controller of each of its own, so that it can say where there is room.
//!
//! What is promised is not in here. The controller adds up the sizes of Volumes and Snapshots, so that a create writes
//! nothing but the Volume, and what was promised a moment ago is taken off at once.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Condition, Feature, Home, schema};
use crate::backend::Capacity;
use crate::volume::{Bytes, Content, FsType};

/// Which pool it is, and what an admin wants of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "orlop.dev",
    version = "v1alpha1",
    kind = "Pool",
    status = "PoolStatus",
    derive = "PartialEq",
    doc = "A pool of a node, as the node tells of it. Set spec.cordoned, and nothing new is put into it.",
    shortname = "opool",
    category = "orlop",
    selectable = ".spec.node",
    selectable = ".spec.pool",
    printcolumn(name = "Node", type_ = "string", json_path = ".spec.node"),
    printcolumn(name = "Pool", type_ = "string", json_path = ".spec.pool"),
    printcolumn(name = "Kind", type_ = "string", json_path = ".status.kind"),
    printcolumn(name = "Size", type_ = "string", json_path = ".status.size"),
    printcolumn(name = "Used%", type_ = "integer", json_path = ".status.usedPercent"),
    printcolumn(name = "Cordoned", type_ = "boolean", json_path = ".spec.cordoned"),
    printcolumn(
        name = "Healthy",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Healthy\")].status"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Provisioning",
        type_ = "string",
        json_path = ".status.provisioning",
        priority = 1
    ),
    printcolumn(name = "Low", type_ = "boolean", json_path = ".status.low", priority = 1),
    printcolumn(
        name = "Orphans",
        type_ = "integer",
        json_path = ".status.orphanCount",
        priority = 1
    ),
    printcolumn(name = "Version", type_ = "string", json_path = ".status.version", priority = 1),
    printcolumn(name = "UUID", type_ = "string", json_path = ".status.uuid", priority = 1)
)]
#[x_kube(validation = schema::fixed("node"), validation = schema::fixed("pool"))]
#[serde(rename_all = "camelCase")]
pub struct PoolSpec {
    /// The Node that it belongs to.
    #[schemars(length(min = 1, max = 253), regex(pattern = schema::NODE))]
    pub node: String,
    /// Its name, as a StorageClass has it.
    #[schemars(length(min = 1, max = 63), regex(pattern = schema::POOL))]
    pub pool: String,
    /// Whether nothing new is to be put into it. What is there stays, and can be used, grown and deleted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cordoned: bool,
}

/// What is true of a pool, as its node has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolStatus {
    /// The metadata.generation that this status answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// What kind of pool it is, in one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = schema::WORD))]
    pub kind: Option<String>,
    /// What a size promises in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["thick", "thin"]))]
    pub provisioning: Option<String>,
    /// The random UUID that it got when it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 36), regex(pattern = schema::UUID))]
    pub uuid: Option<String>,
    /// Its size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Bytes>,
    /// The same for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub size: Option<String>,
    /// What it may promise in all: less than its size by what it keeps back, or more where it is thin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promisable: Option<Bytes>,
    /// What is taken of it, by whomever. It may be some time old, as free may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Bytes>,
    /// The same in hundredths of its size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "int32"))]
    pub used_percent: Option<u32>,
    /// What can still be written to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free: Option<Bytes>,
    /// Whether others may fill the same file system, so that no more than what is free can be promised.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shared: bool,
    /// Whether so little is free that nothing new is promised.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub low: bool,
    /// The least size of a volume, for each content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least_bytes: Option<LeastBytes>,
    /// What it can do beyond keeping volumes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 63), regex(pattern = schema::WORD)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub features: Vec<String>,
    /// How many things it holds for which there is no object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "int32"))]
    pub orphan_count: Option<u32>,
    /// The first of them. `orlop adopt --manifests` prints objects for all of them; none is removed by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = Orphan::MOST))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["id".to_owned()]))]
    pub orphans: Vec<Orphan>,
    /// Whether it is healthy, and what is the matter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".to_owned()]))]
    pub conditions: Vec<Condition>,
    /// The version of the Orlop that serves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub version: Option<String>,
}

/// The least size of a volume, for each content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeastBytes {
    /// With XFS.
    pub xfs: Bytes,
    /// With ext4.
    pub ext4: Bytes,
    /// With Btrfs.
    pub btrfs: Bytes,
    /// Of raw blocks.
    pub block: Bytes,
}

/// Something in a pool for which there is no object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Orphan {
    /// Its id, which its object would be named by.
    #[schemars(length(max = 63), regex(pattern = schema::ANY_ID))]
    pub id: String,
    /// The kind of object that it would have.
    #[schemars(extend("enum" = ["Volume", "Snapshot", "GroupSnapshot"]))]
    pub kind: String,
}

// === impl Pool ===

impl Pool {
    /// Returns the object of the pool, without a status.
    pub fn at(home: &Home) -> Self {
        let (node, pool) = (home.node.clone(), home.pool.clone());
        Self::new(&home.object_name(), PoolSpec { node, pool, cordoned: false })
    }

    /// Returns which pool it is.
    pub fn home(&self) -> Home {
        Home::new(&*self.spec.node, &*self.spec.pool)
    }

    /// Returns what the pool can still give when this much is promised: nothing when it is cordoned, or when its node
    /// has not told what it has.
    pub fn capacity(&self, content: Content, promised: Bytes) -> Capacity {
        let status = self.status.as_ref();
        let least = status.and_then(|status| status.least_bytes);
        let least = least.map_or(Bytes::ZERO, |least| least.of(content));
        let left = status.filter(|_| !self.spec.cordoned).map(|status| status.left(promised));
        let available = left.unwrap_or_default();
        // Whatever a ratio allows in all, nothing alone can be larger than the pool.
        let whole = status.and_then(|status| status.capacity).unwrap_or_default();
        let largest = available.min(whole.round_down(UNIT));
        Capacity { available, largest, least }
    }
}

/// Every size is a multiple of this.
const UNIT: u64 = 4096;

// === impl PoolStatus ===

impl PoolStatus {
    /// Returns whether the pool has told that it can do this.
    pub fn has(&self, feature: Feature) -> bool {
        self.features.iter().any(|name| name == feature.as_str())
    }

    /// Returns what is used in hundredths of the size, as far as whole ones go and never more than all.
    pub fn percent(used: Bytes, capacity: Bytes) -> u32 {
        let hundredths = u128::from(used.0) * 100 / u128::from(capacity.0.max(1));
        u32::try_from(hundredths).map_or(100, |hundredths| hundredths.min(100))
    }

    /// Returns what can still be promised when this much is.
    fn left(&self, promised: Bytes) -> Bytes {
        if self.low {
            return Bytes::ZERO;
        }
        let left = self.promisable.unwrap_or_default().less(promised);
        let free = self.free.filter(|_| self.shared);
        free.map_or(left, |free| left.min(free)).round_down(UNIT)
    }
}

// === impl LeastBytes ===

impl LeastBytes {
    /// Returns the least sizes that the function gives.
    pub fn by(least: impl Fn(Content) -> Bytes) -> Self {
        Self {
            xfs: least(Content::FileSystem(FsType::Xfs)),
            ext4: least(Content::FileSystem(FsType::Ext4)),
            btrfs: least(Content::FileSystem(FsType::Btrfs)),
            block: least(Content::Block),
        }
    }

    /// Returns that for the content.
    pub fn of(self, content: Content) -> Bytes {
        match content {
            Content::FileSystem(FsType::Xfs) => self.xfs,
            Content::FileSystem(FsType::Ext4) => self.ext4,
            Content::FileSystem(FsType::Btrfs) => self.btrfs,
            Content::Block => self.block,
        }
    }
}

// === impl Orphan ===

impl Orphan {
    /// As many as are named one by one.
    pub const MOST: usize = 128;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(status: PoolStatus) -> Pool {
        Pool { status: Some(status), ..Pool::at(&Home::new("n1", "fast")) }
    }

    #[test]
    fn what_is_promised_is_taken_off_what_may_be() {
        let xfs = Content::FileSystem(FsType::Xfs);
        let told = PoolStatus {
            capacity: Some(Bytes::gib(10)),
            promisable: Some(Bytes::gib(20)),
            free: Some(Bytes::gib(3)),
            least_bytes: Some(LeastBytes::by(|content| match content {
                Content::Block => Bytes(4096),
                Content::FileSystem(_) => Bytes::mib(300),
            })),
            ..PoolStatus::default()
        };
        let capacity = |status: PoolStatus, promised| pool(status).capacity(xfs, promised);
        let thin = capacity(told.clone(), Bytes::gib(4));
        assert_eq!((thin.available, thin.largest), (Bytes::gib(16), Bytes::gib(10)));
        assert_eq!(thin.least, Bytes::mib(300));
        assert_eq!(capacity(told.clone(), Bytes::gib(19)).largest, Bytes::gib(1));
        assert_eq!(capacity(told.clone(), Bytes::gib(21)).available, Bytes::ZERO);
        assert_eq!(capacity(told.clone(), Bytes(1)).available, Bytes::gib(20).less(Bytes(4096)));
        let shared = PoolStatus { shared: true, ..told.clone() };
        assert_eq!(capacity(shared, Bytes::ZERO).available, Bytes::gib(3));
        let low = PoolStatus { low: true, ..told.clone() };
        assert_eq!(capacity(low, Bytes::ZERO).available, Bytes::ZERO);
        let mut cordoned = pool(told);
        cordoned.spec.cordoned = true;
        assert_eq!(cordoned.capacity(xfs, Bytes::ZERO).available, Bytes::ZERO);
        let silent = Pool::at(&Home::new("n1", "fast")).capacity(xfs, Bytes::ZERO);
        assert_eq!((silent.available, silent.largest), (Bytes::ZERO, Bytes::ZERO));
    }

    #[test]
    fn a_share_is_in_whole_hundredths() {
        for (used, capacity, percent) in
            [(0, 0, 0), (1, 0, 100), (199, 200, 99), (3, 2, 100), (u64::MAX, 1, 100)]
        {
            assert_eq!(PoolStatus::percent(Bytes(used), Bytes(capacity)), percent);
        }
    }
}
