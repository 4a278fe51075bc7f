//! How fast a volume may be read and written, as objects have it.

use std::num::NonZeroU64;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;
use crate::volume::{self, Bytes};

/// How fast the volume may be read and written; what is left out has no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Limits {
    /// Reads in a second.
    #[serde(default, rename = "readIOPS", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = schema::MOST_OPERATIONS), extend("format" = "int64"))]
    pub read_iops: Option<u64>,
    /// Writes in a second.
    #[serde(default, rename = "writeIOPS", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = schema::MOST_OPERATIONS), extend("format" = "int64"))]
    pub write_iops: Option<u64>,
    /// Bytes read in a second.
    #[serde(default, rename = "readBytesPerSecond", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub read_bytes: Option<Bytes>,
    /// Bytes written in a second.
    #[serde(default, rename = "writeBytesPerSecond", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub write_bytes: Option<Bytes>,
}

// === impl Limits ===

impl Limits {
    /// Returns the limits as objects have them: nothing where there is none.
    pub fn of(limits: volume::Limits) -> Option<Self> {
        let bytes = |limit: Option<NonZeroU64>| limit.map(|limit| Bytes(limit.get()));
        (!limits.is_none()).then(|| Self {
            read_iops: limits.read_iops.map(NonZeroU64::get),
            write_iops: limits.write_iops.map(NonZeroU64::get),
            read_bytes: bytes(limits.read_bytes),
            write_bytes: bytes(limits.write_bytes),
        })
    }
}

impl From<Limits> for volume::Limits {
    /// A limit of 0, which the API server refuses, would be none for whoever writes one.
    fn from(limits: Limits) -> Self {
        let bytes = |limit: Option<Bytes>| limit.and_then(|limit| NonZeroU64::new(limit.0));
        Self {
            read_iops: limits.read_iops.and_then(NonZeroU64::new),
            write_iops: limits.write_iops.and_then(NonZeroU64::new),
            read_bytes: bytes(limits.read_bytes),
            write_bytes: bytes(limits.write_bytes),
        }
    }
}
