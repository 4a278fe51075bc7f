//! Which node may use a volume, and how, as objects have it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reading::Reading;
use super::schema;
use crate::error::Result;
use crate::volume::{self, AccessMode};

/// An attachment to a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attachment {
    /// The Node.
    #[schemars(length(min = 1, max = 253), regex(pattern = schema::NODE))]
    pub node: String,
    /// Whether it may only read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub read_only: bool,
    /// The access mode of CSI that it was attached with.
    #[schemars(extend("enum" = AccessMode::ALL.map(|mode| mode.to_string())))]
    pub mode: String,
}

// === impl Attachment ===

impl Attachment {
    /// Returns the attachment as objects have it.
    pub fn of(attachment: &volume::Attachment) -> Self {
        Self {
            node: attachment.node.clone(),
            read_only: attachment.read_only,
            mode: attachment.mode.to_string(),
        }
    }

    pub(super) fn read(&self, reading: &Reading) -> Result<volume::Attachment> {
        let mode = AccessMode::ALL.into_iter().find(|mode| mode.to_string() == self.mode);
        let unknown = || {
            let why = format!("{:?} is no access mode of CSI 1.13", self.mode);
            reading.wrong("spec.attachments.mode", why)
        };
        let mode = mode.ok_or_else(unknown)?;
        Ok(volume::Attachment { node: self.node.clone(), read_only: self.read_only, mode })
    }
}
