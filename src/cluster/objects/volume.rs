//! Volumes: the wish for one, and what the node made of it.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::reading::Reading;
use super::wish::wish;
use super::{
    Asked, Attachment, Condition, Failure, Home, Limits, Phase, Source, Wish, instant, schema,
};
use crate::error::Result;
use crate::volume::{self as noun, BlockSize, Bytes, Content, Name, NewVolume, VolumeId};

/// The wish for a volume: what is to be true of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "orlop.dev",
    version = "v1alpha1",
    kind = "Volume",
    status = "VolumeStatus",
    derive = "PartialEq",
    doc = "A volume in a pool of a node. The controller writes the spec, the node makes it true and writes the status. Its data is removed only when spec.delete is true: an object that is merely gone is brought back by `orlop adopt --manifests`.",
    shortname = "ovol",
    category = "orlop",
    selectable = ".spec.node",
    selectable = ".spec.pool",
    printcolumn(name = "Node", type_ = "string", json_path = ".spec.node"),
    printcolumn(name = "Pool", type_ = "string", json_path = ".spec.pool"),
    printcolumn(name = "Size", type_ = "string", json_path = ".status.size"),
    printcolumn(name = "Content", type_ = "string", json_path = ".spec.content"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(
        name = "Healthy",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Healthy\")].status"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Name", type_ = "string", json_path = ".spec.name", priority = 1),
    printcolumn(name = "Attached", type_ = "string", json_path = ".spec.attachments[*].node", priority = 1),
    printcolumn(name = "Source", type_ = "string", json_path = ".spec.source.id", priority = 1),
    printcolumn(name = "Delete", type_ = "boolean", json_path = ".spec.delete", priority = 1),
    printcolumn(name = "Error", type_ = "string", json_path = ".status.error.message", priority = 1),
    validation = schema::named_by_id('v'),
    // What the node says is never refused, so the rule looks at what is wished alone.
    validation = Rule::new(
        "self.spec.bytes == oldSelf.spec.bytes || !has(self.status) || !has(self.status.bytes) \
         || self.spec.bytes >= self.status.bytes"
    )
    .message("cannot be less than status.bytes: volumes do not shrink")
    .field_path(".spec.bytes")
)]
#[x_kube(
    validation = schema::fixed("name"),
    validation = schema::fixed("node"),
    validation = schema::fixed("pool"),
    validation = schema::fixed("content"),
    validation = schema::fixed("blockSize"),
    validation = schema::fixed_or_missing("asked"),
    validation = schema::fixed_or_missing("askedLimits"),
    validation = schema::fixed_or_missing("source"),
)]
#[serde(rename_all = "camelCase")]
pub struct VolumeSpec {
    /// The name that CSI gave it; the id, which is the object's name, is computed from it.
    #[schemars(length(min = 1, max = 128))]
    pub name: String,
    /// The Node that it lives on.
    #[schemars(length(min = 1, max = 253), regex(pattern = schema::NODE))]
    pub node: String,
    /// The pool of that node.
    #[schemars(length(min = 1, max = 63), regex(pattern = schema::POOL))]
    pub pool: String,
    /// The size it is to have. It may be raised, and lowered again as far as status.bytes.
    #[schemars(range(min = 1))]
    pub bytes: Bytes,
    /// The sizes that were asked for when it was created: what a repeat of that call is compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
    /// The file system on it, or block for raw blocks.
    #[schemars(extend("enum" = schema::CONTENTS))]
    pub content: String,
    /// The logical block size of the device.
    #[schemars(extend("format" = "int32", "enum" = schema::BLOCK_SIZES))]
    pub block_size: u32,
    /// What it is made from, in the same pool; empty otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// How fast it may be read and written from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// The limits that were asked for when it was created: what a repeat of that call is compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_limits: Option<Limits>,
    /// The nodes that it is attached to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["node".to_owned()]))]
    pub attachments: Vec<Attachment>,
    /// Whether the volume and all of its data are to be removed, as soon as nobody uses it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub delete: bool,
    /// The features without which the wish cannot be fulfilled: a node that does not know one of them refuses it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 63), regex(pattern = schema::WORD)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub requires: Vec<String>,
}

/// What is true of a volume, as its node has it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct VolumeStatus {
    /// How far the node has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// The metadata.generation that this status answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The size of the device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Bytes>,
    /// The same for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub size: Option<String>,
    /// The UUID of the pool that holds it: a node that was reinstalled under its old name has another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 36), regex(pattern = schema::UUID))]
    pub pool_uuid: Option<String>,
    /// The limits that are kept with it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// When it became real.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63), extend("format" = "date-time"))]
    pub created: Option<String>,
    /// Why the wish could not be fulfilled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// Whether it is healthy, and what is the matter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".to_owned()]))]
    pub conditions: Vec<Condition>,
}

wish!(Volume, VolumeId, VolumeStatus);

// === impl Volume ===

impl Volume {
    /// Returns the object that wishes for a new volume.
    pub fn wish(wanted: &NewVolume, home: &Home) -> Self {
        let limits = Limits::of(wanted.limits);
        let spec = VolumeSpec {
            name: wanted.name.as_str().to_owned(),
            node: home.node.clone(),
            pool: home.pool.clone(),
            bytes: wanted.size,
            asked: Asked::of(wanted.asked),
            content: wanted.content.to_string(),
            block_size: wanted.block_size.bytes(),
            source: wanted.source.as_ref().map(Source::of),
            limits,
            asked_limits: limits,
            attachments: Vec::new(),
            delete: false,
            requires: Vec::new(),
        };
        Self::new(wanted.id.as_str(), spec)
    }

    /// Returns the object of a volume that there is, without a status: the node writes that.
    pub fn of(volume: &noun::Volume, home: &Home) -> Self {
        let spec = VolumeSpec {
            name: volume.name.as_str().to_owned(),
            node: home.node.clone(),
            pool: home.pool.clone(),
            bytes: volume.size,
            asked: Asked::of(volume.asked),
            content: volume.content.to_string(),
            block_size: volume.block_size.bytes(),
            source: volume.source.as_ref().map(Source::of),
            limits: Limits::of(volume.limits),
            asked_limits: Limits::of(volume.asked_limits),
            attachments: volume.attachments.iter().map(Attachment::of).collect(),
            delete: false,
            requires: Vec::new(),
        };
        Self::new(volume.id.as_str(), spec)
    }

    /// Returns the volume that is wished for, of the size that it is to have now and with the limits of its creation.
    pub fn wanted(&self) -> Result<NewVolume> {
        let (spec, reading) = (&self.spec, Reading::of(self));
        let name = reading.key("spec.name", Name::parse(&spec.name))?;
        let id = self.id()?;
        if id != VolumeId::of(&name) {
            return Err(reading.wrong("spec.name", "is not the name that this id belongs to"));
        }
        Ok(NewVolume {
            id,
            name,
            size: spec.bytes,
            asked: spec.asked.map(noun::Asked::from).unwrap_or_default(),
            content: reading.key("spec.content", spec.content.parse::<Content>())?,
            block_size: reading.key("spec.blockSize", BlockSize::try_from(spec.block_size))?,
            limits: spec.asked_limits.unwrap_or_default().into(),
            source: spec.source.as_ref().map(|source| source.read(&reading)).transpose()?,
        })
    }

    /// Returns the volume as it is, or nothing before it is real. Its attachments are those that are wished for.
    pub fn made(&self) -> Result<Option<noun::Volume>> {
        let Some(status) = self.status.as_ref().filter(|status| status.created.is_some()) else {
            return Ok(None);
        };
        let (wanted, reading) = (self.wanted()?, Reading::of(self));
        let created = reading.there("status.created", status.created.as_deref())?;
        Ok(Some(noun::Volume {
            size: reading.there("status.bytes", status.bytes)?,
            limits: status.limits.unwrap_or_default().into(),
            attachments: self.attachments()?,
            created: reading.key("status.created", instant::read(created))?,
            id: wanted.id,
            name: wanted.name,
            asked: wanted.asked,
            content: wanted.content,
            block_size: wanted.block_size,
            asked_limits: wanted.limits,
            source: wanted.source,
        }))
    }

    /// Returns the attachments that are wished for.
    pub fn attachments(&self) -> Result<Vec<noun::Attachment>> {
        let reading = Reading::of(self);
        self.spec.attachments.iter().map(|attachment| attachment.read(&reading)).collect()
    }

    /// Returns the limits that are wished for.
    pub fn limits(&self) -> noun::Limits {
        self.spec.limits.unwrap_or_default().into()
    }
}

// === impl VolumeStatus ===

impl VolumeStatus {
    /// Returns the status of a volume that is real, in the pool with this UUID.
    pub fn ready(volume: &noun::Volume, pool_uuid: &str) -> Self {
        Self {
            phase: Some(Phase::Ready),
            bytes: Some(volume.size),
            size: Some(volume.size.to_string()),
            pool_uuid: Some(pool_uuid.to_owned()),
            limits: Limits::of(volume.limits),
            created: Some(instant::exact(volume.created)),
            ..Self::default()
        }
    }
}
