//! What a volume is made from, as objects have it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reading::Reading;
use super::schema;
use crate::error::Result;
use crate::volume;

/// What a volume is made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Source {
    /// What kind of thing it is.
    #[schemars(extend("enum" = ["Snapshot", "Volume"]))]
    pub kind: String,
    /// Its id; the member of a group snapshot has one, too.
    #[schemars(length(max = 63), regex(pattern = schema::SOURCE_ID))]
    pub id: String,
}

// === impl Source ===

impl Source {
    /// Returns the source as objects have it.
    pub fn of(source: &volume::Source) -> Self {
        let (kind, id) = match source {
            volume::Source::Snapshot(id) => ("Snapshot", id.to_string()),
            volume::Source::Volume(id) => ("Volume", id.to_string()),
        };
        Self { kind: kind.to_owned(), id }
    }

    pub(super) fn read(&self, reading: &Reading) -> Result<volume::Source> {
        match &*self.kind {
            "Snapshot" => {
                reading.key("spec.source.id", self.id.parse()).map(volume::Source::Snapshot)
            }
            "Volume" => reading.key("spec.source.id", self.id.parse()).map(volume::Source::Volume),
            other => Err(reading
                .wrong("spec.source.kind", format!("{other:?} is neither Snapshot nor Volume"))),
        }
    }
}
