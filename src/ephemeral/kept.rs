//! What a kind notes of a volume, to know it again after a restart. Never a secret.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A kind's note, kept by the frame with the volume's record.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Kept(serde_json::Value);

// === impl Kept ===

impl Kept {
    /// Keeps the note.
    pub fn of(note: &impl Serialize) -> serde_json::Result<Self> {
        serde_json::to_value(note).map(Self)
    }

    /// Reads the note; nothing where another version wrote what this one does not know.
    pub fn read<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_value(self.0.clone()).ok()
    }
}
