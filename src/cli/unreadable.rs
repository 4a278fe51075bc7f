//! The pools that a verb could not read: what the others say is printed all the same.

use std::process::ExitCode;

use super::failure::Failure;
use crate::error::Result;

/// What could not be read, in words.
#[derive(Debug, Default)]
pub(super) struct Unreadable(Vec<String>);

// === impl Unreadable ===

impl Unreadable {
    /// Returns what the pool said, or keeps why it did not.
    pub(super) fn keep<T>(&mut self, pool: &str, outcome: Result<T>) -> Option<T> {
        outcome.map_err(|error| self.0.push(format!("pool {pool}: {}", error.sentence()))).ok()
    }

    /// Returns whether every pool could be read.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns what could not be read, in words, if anything.
    pub(super) fn words(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| format!("cannot read {}", self.0.join("; ")))
    }

    /// Ends the verb: well, if every pool could be read.
    pub(super) fn end(self) -> std::result::Result<ExitCode, Failure> {
        match self.words() {
            None => Ok(ExitCode::SUCCESS),
            Some(words) => Err(Failure::failed(words)),
        }
    }
}
