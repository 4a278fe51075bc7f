//! What a pool can do beyond keeping volumes, and what a wish can therefore require.

use std::str::FromStr;

/// What a pool can do beyond keeping volumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// Snapshots, and volumes made from them.
    Snapshots,
    /// Snapshots of several volumes, cut at one instant.
    GroupSnapshots,
    /// It tells which blocks of a snapshot were written.
    ChangedBlocks,
}

/// Returns what this build does not know of what a wish requires: a wish is refused for it, and never fulfilled in part.
pub fn unknown(requires: &[String]) -> Vec<&str> {
    requires.iter().map(String::as_str).filter(|name| name.parse::<Feature>().is_err()).collect()
}

/// A name that this build does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no feature that this version of Orlop knows")]
pub struct NotAFeature;

// === impl Feature ===

impl Feature {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Snapshots, Self::GroupSnapshots, Self::ChangedBlocks];

    /// Returns the name that objects have.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Snapshots => "Snapshots",
            Self::GroupSnapshots => "GroupSnapshots",
            Self::ChangedBlocks => "ChangedBlocks",
        }
    }
}

impl FromStr for Feature {
    type Err = NotAFeature;

    fn from_str(text: &str) -> Result<Self, NotAFeature> {
        Self::ALL.into_iter().find(|feature| feature.as_str() == text).ok_or(NotAFeature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_named() {
        let known = Feature::ALL.map(|feature| feature.as_str().to_owned());
        assert!(unknown(&[]).is_empty());
        assert!(unknown(&known).is_empty());
        let newer = ["Encryption".to_owned(), known[0].clone(), "snapshots".to_owned()];
        assert_eq!(unknown(&newer), ["Encryption", "snapshots"]);
    }
}
