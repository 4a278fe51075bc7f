//! What `group.json` says.

use serde::{Deserialize, Serialize};

use crate::backend::image::format::FORMAT;
use crate::backend::image::record::Record;
use crate::error::Noun;
use crate::volume::{Bytes, Group, GroupId};

/// The record of a group snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::backend::image) struct GroupRecord {
    format_version: u32,
    /// The group as everybody else knows it.
    pub(in crate::backend::image) group: Group,
}

// === impl GroupRecord ===

impl GroupRecord {
    /// Returns the record of a group that is to become real.
    pub(super) fn new(group: Group) -> Self {
        Self { format_version: FORMAT, group }
    }
}

impl Record for GroupRecord {
    type Id = GroupId;

    const NOUN: Noun = Noun::GroupSnapshot;

    fn format_version(&self) -> u32 {
        self.format_version
    }

    fn id(&self) -> &GroupId {
        &self.group.id
    }

    /// The members count for themselves.
    fn size(&self) -> Bytes {
        Bytes::ZERO
    }
}
