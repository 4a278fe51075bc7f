//! The sizes that a volume may have, as objects have them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::volume::{self, Bytes};

/// The sizes between which a volume may have any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// The least size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required_bytes: Option<Bytes>,
    /// The greatest size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_bytes: Option<Bytes>,
}

// === impl Asked ===

impl Asked {
    /// Returns the range as objects have it: nothing where any size will do.
    pub fn of(asked: volume::Asked) -> Option<Self> {
        let volume::Asked { required, limit } = asked;
        let any = required.is_none() && limit.is_none();
        (!any).then_some(Self { required_bytes: required, limit_bytes: limit })
    }
}

impl From<Asked> for volume::Asked {
    fn from(asked: Asked) -> Self {
        Self { required: asked.required_bytes, limit: asked.limit_bytes }
    }
}
