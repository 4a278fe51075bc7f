//! A pool, its name, and the node that it is on.

use std::fmt;
use std::sync::Arc;

use super::{Backend, Changes, Groups, Local, Snapshots, Transfer};
use crate::error::{Error, Result};
use crate::volume::{Requirement, Topology};

/// A pool on a node. A clone is the same pool, and costs nothing.
#[derive(Debug, Clone)]
pub struct Pool {
    /// As the config and the StorageClass have it.
    pub name: Arc<str>,
    /// The id of the node that it is on, and with it all that it holds.
    pub node: Arc<str>,
    /// The pool itself.
    pub backend: Arc<dyn Backend>,
}

/// A pool of this node.
#[derive(Debug, Clone)]
pub struct LocalPool {
    /// As the config and the StorageClass have it.
    pub name: Arc<str>,
    /// The id of this node.
    pub node: Arc<str>,
    /// The pool itself.
    pub backend: Arc<dyn Local>,
}

// === impl Pool ===

impl Pool {
    /// Returns whether both are one pool: other nodes may have a pool of the same name.
    pub fn is(&self, other: &Self) -> bool {
        self.name == other.name && self.node == other.node
    }

    /// Returns where it is, and where all that it holds can be used.
    pub fn topology(&self) -> Topology {
        Topology::of_node(&self.node)
    }

    /// Checks that what is in the pool is accessible as required.
    pub fn satisfies(&self, required: &Requirement) -> Result<()> {
        if required.admits(&self.topology()) {
            return Ok(());
        }
        let reason = format!("accessibility_requirements: no term includes the node of {self}");
        Err(Error::Elsewhere { reason })
    }

    /// Returns the pool's snapshots, if it can have any.
    pub fn snapshots(&self) -> Result<&dyn Snapshots> {
        let none = || Error::Unsupported { what: format!("a snapshot in pool {}", self.name) };
        self.backend.snapshots().ok_or_else(none)
    }

    /// Returns what the pool knows of the blocks of its snapshots, if it can tell.
    pub fn changes(&self) -> Result<&dyn Changes> {
        let cannot = || {
            Error::unfit(format!(
                "pool {} cannot tell which blocks of a snapshot were written, because it is not on an XFS that \
                 shares extents: make a full backup",
                self.name
            ))
        };
        self.backend.changes().ok_or_else(cannot)
    }

    /// Returns the pool's group snapshots, if it can have any.
    pub fn groups(&self) -> Result<&dyn Groups> {
        self.backend.groups().ok_or_else(|| no_groups(&self.name))
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pool {} on node {}", self.name, self.node)
    }
}

// === impl LocalPool ===

impl LocalPool {
    /// Returns the pool of that name on this node.
    pub fn new(name: &str, node: &str, backend: Arc<dyn Local>) -> Self {
        Self { name: name.into(), node: node.into(), backend }
    }

    /// Returns the same pool as everybody may know it.
    pub fn to_pool(&self) -> Pool {
        let Self { name, node, backend } = self.clone();
        Pool { name, node, backend }
    }

    /// Returns the pool's group snapshots, if it can have any.
    pub fn groups(&self) -> Result<&dyn Groups> {
        self.backend.groups().ok_or_else(|| no_groups(&self.name))
    }

    /// Returns how the pool takes images in and gives them out, if it does.
    pub fn transfer(&self) -> Result<&dyn Transfer> {
        let none = || Error::unfit(format!("pool {} holds no image files", self.name));
        self.backend.transfer().ok_or_else(none)
    }
}

fn no_groups(name: &str) -> Error {
    Error::unfit(format!("the volumes of pool {name} cannot be cut together"))
}
