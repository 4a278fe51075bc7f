//! The name that the orchestrator gives: any Unicode up to 128 bytes without control characters.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The most bytes that CSI allows a string to have.
const MOST: usize = 128;

/// A CSI name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Name(String);

// === impl Name ===

impl Name {
    /// Parses the name that a request has in its field `name`.
    pub fn parse(text: &str) -> Result<Self> {
        if text.is_empty() {
            return Err(Error::invalid("name", "is required"));
        }
        if text.len() > MOST {
            let reason = format!("has {} bytes, more than the {MOST} that CSI allows", text.len());
            return Err(Error::invalid("name", reason));
        }
        if let Some(banned) = text.chars().find(|c| is_banned(*c)) {
            let reason = format!("holds the control character U+{:04X}", u32::from(banned));
            return Err(Error::invalid("name", reason));
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Tab, line feed and carriage return are the only control characters that the contract lets pass.
fn is_banned(c: char) -> bool {
    matches!(c, '\u{0}'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{7F}'..='\u{9F}')
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_as_the_contract_says() {
        let longest = "ä".repeat(64);
        for good in ["a", "pvc-1", "..", "a/b", "a\tb\r\n", "Ünï ☃", longest.as_str()] {
            assert_eq!(Name::parse(good).unwrap().as_str(), good);
        }
        let too_long = "x".repeat(129);
        for bad in ["", "a\0", "\u{7}", "\u{b}", "\u{1f}", "\u{7f}", "\u{9f}", too_long.as_str()] {
            assert!(
                matches!(Name::parse(bad), Err(Error::Invalid { field: "name", .. })),
                "{bad:?}"
            );
        }
    }
}
