//! What is wrong with a config, said so that an admin can go to the line and put it right.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::lines::Lines;

/// A config that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the config {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something in it is wrong.
    #[error("{0}")]
    Mistake(Mistake),
}

/// A mistake in a config: `orlop.yaml:7: pools[0].ratio: …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    file: PathBuf,
    line: Option<u64>,
    key: String,
    reason: String,
}

/// A mistake that is not yet known to be of a file: which key, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) key: String,
    pub(super) reason: String,
}

// === impl Mistake ===

impl Mistake {
    pub(super) fn at(file: &Path, line: Option<u64>, wrong: Wrong) -> Self {
        Self { file: file.to_owned(), line, key: wrong.key, reason: wrong.reason }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        if !self.key.is_empty() {
            write!(f, " {}:", self.key)?;
        }
        write!(f, " {}", self.reason)
    }
}

// === impl Wrong ===

impl Wrong {
    /// Returns the key as wrong.
    pub(super) fn new(key: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { key: key.into(), reason: reason.into() }
    }

    /// Returns the mistake with its line in the file.
    pub(super) fn in_file(self, file: &Path, lines: &Lines) -> Mistake {
        let line = lines.line_of(&self.key);
        Mistake::at(file, line, self)
    }
}
