//! The number in every text that a pool has: by it a newer format is known, which need not look like ours at all
//! but for that number.

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The format that this version writes, and the newest that it reads.
pub(super) const FORMAT: u32 = 1;

/// Why a text is not read.
#[derive(Debug)]
pub(super) enum Unread {
    /// It has this format, which a newer Orlop wrote.
    Newer(u32),
    /// It is nothing that this version knows.
    Foreign(serde_json::Error),
}

/// As much as every format has had and will have.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    format_version: u32,
}

/// Parses a text, of which `version` tells the format that it says it has.
pub(super) fn parse<T: DeserializeOwned>(
    text: &[u8],
    version: impl FnOnce(&T) -> u32,
) -> Result<T, Unread> {
    match serde_json::from_slice(text) {
        Ok(value) => match version(&value) {
            newer if newer > FORMAT => Err(Unread::Newer(newer)),
            _ => Ok(value),
        },
        Err(mistake) => match serde_json::from_slice(text) {
            Ok(Version { format_version }) if format_version > FORMAT => {
                Err(Unread::Newer(format_version))
            }
            _ => Err(Unread::Foreign(mistake)),
        },
    }
}
