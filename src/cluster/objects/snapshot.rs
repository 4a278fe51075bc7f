//! Snapshots: the wish for one, and what the node cut. The members of a group snapshot are in its own object.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::reading::Reading;
use super::wish::wish;
use super::{Condition, Failure, Home, Phase, Wish, instant, schema};
use crate::error::Result;
use crate::volume::{self as noun, BlockSize, Bytes, Name, NewSnapshot, SnapshotId};

/// The wish for a snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "orlop.dev",
    version = "v1alpha1",
    kind = "Snapshot",
    status = "SnapshotStatus",
    derive = "PartialEq",
    doc = "A snapshot in a pool of a node. The controller writes the spec, the node makes it true and writes the status. Its data is removed only when spec.delete is true: an object that is merely gone is brought back by `orlop adopt --manifests`.",
    shortname = "osnap",
    category = "orlop",
    selectable = ".spec.node",
    selectable = ".spec.pool",
    printcolumn(name = "Node", type_ = "string", json_path = ".spec.node"),
    printcolumn(name = "Pool", type_ = "string", json_path = ".spec.pool"),
    printcolumn(name = "Size", type_ = "string", json_path = ".status.size"),
    printcolumn(name = "Source", type_ = "string", json_path = ".spec.source"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Name", type_ = "string", json_path = ".spec.name", priority = 1),
    printcolumn(name = "Content", type_ = "string", json_path = ".status.content", priority = 1),
    printcolumn(name = "Cut", type_ = "date", json_path = ".status.created", priority = 1),
    printcolumn(
        name = "Healthy",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Healthy\")].status",
        priority = 1
    ),
    printcolumn(name = "Delete", type_ = "boolean", json_path = ".spec.delete", priority = 1),
    printcolumn(name = "Error", type_ = "string", json_path = ".status.error.message", priority = 1),
    validation = schema::named_by_id('s')
)]
#[x_kube(
    validation = schema::fixed("name"),
    validation = schema::fixed("node"),
    validation = schema::fixed("pool"),
    validation = schema::fixed("source"),
)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotSpec {
    /// The name that CSI gave it; the id, which is the object's name, is computed from it.
    #[schemars(length(min = 1, max = 128))]
    pub name: String,
    /// The Node that it lives on.
    #[schemars(length(min = 1, max = 253), regex(pattern = schema::NODE))]
    pub node: String,
    /// The pool of that node.
    #[schemars(length(min = 1, max = 63), regex(pattern = schema::POOL))]
    pub pool: String,
    /// The id of the volume to cut it from; once it is cut, that may be gone.
    #[schemars(length(max = 63), regex(pattern = schema::VOLUME_ID))]
    pub source: String,
    /// Whether the snapshot and all of its data are to be removed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub delete: bool,
    /// The features without which the wish cannot be fulfilled: a node that does not know one of them refuses it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 63), regex(pattern = schema::WORD)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub requires: Vec<String>,
}

/// What is true of a snapshot, as its node has it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotStatus {
    /// How far the node has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// The metadata.generation that this status answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The size of the source at that instant: the least size of a volume made from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Bytes>,
    /// The same for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub size: Option<String>,
    /// The file system of the source, or block for raw blocks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = schema::CONTENTS))]
    pub content: Option<String>,
    /// The logical block size of the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "int32", "enum" = schema::BLOCK_SIZES))]
    pub block_size: Option<u32>,
    /// The instant of the cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63), extend("format" = "date-time"))]
    pub created: Option<String>,
    /// The UUID of the pool that holds it: a node that was reinstalled under its old name has another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 36), regex(pattern = schema::UUID))]
    pub pool_uuid: Option<String>,
    /// Why the wish could not be fulfilled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// Whether it is healthy, and what is the matter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".to_owned()]))]
    pub conditions: Vec<Condition>,
}

wish!(Snapshot, SnapshotId, SnapshotStatus);

// === impl Snapshot ===

impl Snapshot {
    /// Returns the object that wishes for a new snapshot.
    pub fn wish(wanted: &NewSnapshot, home: &Home) -> Self {
        Self::new(wanted.id.as_str(), spec(&wanted.name, &wanted.source, home))
    }

    /// Returns the object of a snapshot that there is, without a status: the node writes that.
    pub fn of(snapshot: &noun::Snapshot, home: &Home) -> Self {
        Self::new(snapshot.id.as_str(), spec(&snapshot.name, &snapshot.source, home))
    }

    /// Returns the snapshot that is wished for.
    pub fn wanted(&self) -> Result<NewSnapshot> {
        let (spec, reading) = (&self.spec, Reading::of(self));
        let name = reading.key("spec.name", Name::parse(&spec.name))?;
        let id = self.id()?;
        if id != SnapshotId::of(&name) {
            return Err(reading.wrong("spec.name", "is not the name that this id belongs to"));
        }
        Ok(NewSnapshot { id, name, source: reading.key("spec.source", spec.source.parse())? })
    }

    /// Returns the snapshot as it is, or nothing before it is cut.
    pub fn made(&self) -> Result<Option<noun::Snapshot>> {
        let Some(status) = self.status.as_ref().filter(|status| status.created.is_some()) else {
            return Ok(None);
        };
        let (wanted, reading) = (self.wanted()?, Reading::of(self));
        let content = reading.there("status.content", status.content.as_deref())?;
        let block_size = reading.there("status.blockSize", status.block_size)?;
        let created = reading.there("status.created", status.created.as_deref())?;
        Ok(Some(noun::Snapshot {
            id: wanted.id,
            name: wanted.name,
            source: wanted.source,
            size: reading.there("status.bytes", status.bytes)?,
            content: reading.key("status.content", content.parse())?,
            block_size: reading.key("status.blockSize", BlockSize::try_from(block_size))?,
            created: reading.key("status.created", instant::read(created))?,
        }))
    }
}

fn spec(name: &Name, source: &noun::VolumeId, home: &Home) -> SnapshotSpec {
    SnapshotSpec {
        name: name.as_str().to_owned(),
        node: home.node.clone(),
        pool: home.pool.clone(),
        source: source.to_string(),
        delete: false,
        requires: Vec::new(),
    }
}

// === impl SnapshotStatus ===

impl SnapshotStatus {
    /// Returns the status of a snapshot that is cut, in the pool with this UUID.
    pub fn ready(snapshot: &noun::Snapshot, pool_uuid: &str) -> Self {
        Self {
            phase: Some(Phase::Ready),
            bytes: Some(snapshot.size),
            size: Some(snapshot.size.to_string()),
            content: Some(snapshot.content.to_string()),
            block_size: Some(snapshot.block_size.bytes()),
            created: Some(instant::exact(snapshot.created)),
            pool_uuid: Some(pool_uuid.to_owned()),
            ..Self::default()
        }
    }
}
