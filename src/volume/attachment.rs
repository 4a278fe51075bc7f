//! The record of a ControllerPublish: which node may use the volume, and how.

use serde::{Deserialize, Serialize};

use super::AccessMode;

/// A volume's attachment to a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Attachment {
    /// The node.
    pub node: String,
    /// Whether it may only read.
    pub read_only: bool,
    /// The access mode it was attached with.
    pub mode: AccessMode,
}
