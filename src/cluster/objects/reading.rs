//! How a conversion tells what is wrong with an object: which object, which key, why, and what to do.

use std::error::Error as StdError;
use std::fmt;

use kube::{Resource, ResourceExt};

use crate::error::{Error, Result};

/// An object that is being read.
#[derive(Debug)]
pub(super) struct Reading {
    what: String,
}

// === impl Reading ===

impl Reading {
    /// Begins to read the object.
    pub(super) fn of<K: Resource<DynamicType = ()>>(object: &K) -> Self {
        Self { what: format!("{} {}", K::kind(&()), object.name_any()) }
    }

    /// Returns the value of the key, or the object as one that cannot be used.
    pub(super) fn key<T, E: StdError>(
        &self,
        key: &str,
        value: std::result::Result<T, E>,
    ) -> Result<T> {
        value.map_err(|why| self.wrong(key, why))
    }

    /// Returns the value of a key that has to be there by now.
    pub(super) fn there<T>(&self, key: &str, value: Option<T>) -> Result<T> {
        value.ok_or_else(|| self.wrong(key, "is missing"))
    }

    /// Returns the object as one that cannot be used for what the key says.
    pub(super) fn wrong(&self, key: &str, why: impl fmt::Display) -> Error {
        let what = &self.what;
        Error::unfit(format!(
            "object {what}: {key}: {why}; a newer Orlop wrote it, or somebody has edited it: put it right"
        ))
    }
}
