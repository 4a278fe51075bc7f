//! Group snapshots: the wish for one, and the members that the node cut. A member has no object of its own.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reading::Reading;
use super::wish::wish;
use super::{Condition, Failure, Home, Phase, Wish, instant, schema};
use crate::error::Result;
use crate::volume::{BlockSize, Bytes, Group, GroupId, NewGroup, Snapshot, VolumeId};

/// The wish for a group snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "orlop.dev",
    version = "v1alpha1",
    kind = "GroupSnapshot",
    status = "GroupSnapshotStatus",
    derive = "PartialEq",
    doc = "Snapshots of several volumes of one pool, cut at one instant. The controller writes the spec, the node makes it true and writes the status. Its data is removed only when spec.delete is true: an object that is merely gone is brought back by `orlop adopt --manifests`.",
    shortname = "ogsnap",
    category = "orlop",
    selectable = ".spec.node",
    selectable = ".spec.pool",
    printcolumn(name = "Node", type_ = "string", json_path = ".spec.node"),
    printcolumn(name = "Pool", type_ = "string", json_path = ".spec.pool"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Name", type_ = "string", json_path = ".spec.name", priority = 1),
    printcolumn(name = "Sources", type_ = "string", json_path = ".spec.sources", priority = 1),
    printcolumn(name = "Cut", type_ = "date", json_path = ".status.created", priority = 1),
    printcolumn(
        name = "Healthy",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Healthy\")].status",
        priority = 1
    ),
    printcolumn(name = "Delete", type_ = "boolean", json_path = ".spec.delete", priority = 1),
    printcolumn(name = "Error", type_ = "string", json_path = ".status.error.message", priority = 1),
    validation = schema::named_by_id('g')
)]
#[x_kube(
    validation = schema::fixed("name"),
    validation = schema::fixed("node"),
    validation = schema::fixed("pool"),
    validation = schema::fixed("sources"),
)]
#[serde(rename_all = "camelCase")]
pub struct GroupSnapshotSpec {
    /// The name that CSI gave it; the id, which is the object's name, is computed from it.
    #[schemars(length(min = 1, max = 128))]
    pub name: String,
    /// The Node that it lives on.
    #[schemars(length(min = 1, max = 253), regex(pattern = schema::NODE))]
    pub node: String,
    /// The pool of that node.
    #[schemars(length(min = 1, max = 63), regex(pattern = schema::POOL))]
    pub pool: String,
    /// The ids of the volumes to cut, sorted; once they are cut, they may be gone.
    #[schemars(
        length(min = 1, max = NewGroup::MOST),
        inner(length(max = 63), regex(pattern = schema::VOLUME_ID))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub sources: Vec<String>,
    /// Whether the group and all data of its members are to be removed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub delete: bool,
    /// The features without which the wish cannot be fulfilled: a node that does not know one of them refuses it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 63), regex(pattern = schema::WORD)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub requires: Vec<String>,
}

/// What is true of a group snapshot, as its node has it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupSnapshotStatus {
    /// How far the node has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// The metadata.generation that this status answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The instant of the cut, the same for all members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63), extend("format" = "date-time"))]
    pub created: Option<String>,
    /// The snapshots that it consists of, in the order of their sources.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = NewGroup::MOST))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["id".to_owned()]))]
    pub members: Vec<Member>,
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

/// A snapshot that is part of a group snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// The id: that of the group, and a number.
    #[schemars(length(max = 63), regex(pattern = schema::MEMBER_ID))]
    pub id: String,
    /// The id of the volume that it was cut from; it may be gone.
    #[schemars(length(max = 63), regex(pattern = schema::VOLUME_ID))]
    pub source: String,
    /// The size of the source at that instant: the least size of a volume made from it.
    pub bytes: Bytes,
    /// The file system of the source, or block for raw blocks.
    #[schemars(extend("enum" = schema::CONTENTS))]
    pub content: String,
    /// The logical block size of the source.
    #[schemars(extend("format" = "int32", "enum" = schema::BLOCK_SIZES))]
    pub block_size: u32,
}

wish!(GroupSnapshot, GroupId, GroupSnapshotStatus);

// === impl GroupSnapshot ===

impl GroupSnapshot {
    /// Returns the object that wishes for a new group snapshot.
    pub fn wish(wanted: &NewGroup, home: &Home) -> Self {
        Self::new(wanted.id.as_str(), spec(wanted.name.as_str(), wanted.sources(), home))
    }

    /// Returns the object of a group snapshot that there is, without a status: the node writes that.
    pub fn of(group: &Group, home: &Home) -> Self {
        Self::new(group.id.as_str(), spec(group.name.as_str(), &group.sources, home))
    }

    /// Returns the group snapshot that is wished for.
    pub fn wanted(&self) -> Result<NewGroup> {
        let (spec, reading) = (&self.spec, Reading::of(self));
        let wanted = reading.key("spec", NewGroup::parse(&spec.name, &spec.sources))?;
        if wanted.id != self.id()? {
            return Err(reading.wrong("spec.name", "is not the name that this id belongs to"));
        }
        Ok(wanted)
    }

    /// Returns the group snapshot with its members as it is, or nothing before it is cut.
    pub fn made(&self) -> Result<Option<(Group, Vec<Snapshot>)>> {
        let Some(status) = self.status.as_ref().filter(|status| status.created.is_some()) else {
            return Ok(None);
        };
        let (wanted, reading) = (self.wanted()?, Reading::of(self));
        let created = reading.there("status.created", status.created.as_deref())?;
        let created = reading.key("status.created", instant::read(created))?;
        let group = wanted.cut_at(created);
        if status.members.len() != group.sources.len() {
            let (members, sources) = (status.members.len(), group.sources.len());
            let why = format!("are {members} of {sources} volumes");
            return Err(reading.wrong("status.members", why));
        }
        let both = status.members.iter().zip(&group.sources);
        let members = both.map(|(member, source)| member.read(&group, source, &reading));
        let members = members.collect::<Result<Vec<_>>>()?;
        let ids = members.iter().map(|member| &member.id);
        if !ids.eq(&group.members().collect::<Vec<_>>()) {
            return Err(reading.wrong("status.members", "have not the ids of this group, in order"));
        }
        Ok(Some((group, members)))
    }
}

fn spec(name: &str, sources: &[VolumeId], home: &Home) -> GroupSnapshotSpec {
    GroupSnapshotSpec {
        name: name.to_owned(),
        node: home.node.clone(),
        pool: home.pool.clone(),
        sources: sources.iter().map(VolumeId::to_string).collect(),
        delete: false,
        requires: Vec::new(),
    }
}

// === impl GroupSnapshotStatus ===

impl GroupSnapshotStatus {
    /// Returns the status of a group that is cut with these members, in the pool with this UUID.
    pub fn ready(group: &Group, members: &[Snapshot], pool_uuid: &str) -> Self {
        Self {
            phase: Some(Phase::Ready),
            created: Some(instant::exact(group.created)),
            members: members.iter().map(Member::of).collect(),
            pool_uuid: Some(pool_uuid.to_owned()),
            ..Self::default()
        }
    }
}

// === impl Member ===

impl Member {
    fn of(snapshot: &Snapshot) -> Self {
        Self {
            id: snapshot.id.to_string(),
            source: snapshot.source.to_string(),
            bytes: snapshot.size,
            content: snapshot.content.to_string(),
            block_size: snapshot.block_size.bytes(),
        }
    }

    fn read(&self, group: &Group, source: &VolumeId, reading: &Reading) -> Result<Snapshot> {
        if self.source != source.as_str() {
            let why = format!("{} is not of {source}", self.id);
            return Err(reading.wrong("status.members.source", why));
        }
        let block_size = BlockSize::try_from(self.block_size);
        Ok(Snapshot {
            id: reading.key("status.members.id", self.id.parse())?,
            name: group.name.clone(),
            source: source.clone(),
            size: self.bytes,
            content: reading.key("status.members.content", self.content.parse())?,
            block_size: reading.key("status.members.blockSize", block_size)?,
            created: group.created,
        })
    }
}
