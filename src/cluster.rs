//! The driver of a cluster: one controller and many nodes, joined by custom resources and by nothing else.
//!
//! The controller writes a wish as the spec of an object; the node that owns the pool fulfils it and writes what is
//! true into the status. Kubernetes carries both, so that there is no protocol, no port and no certificate of our
//! own. The data stays the truth: an object that is missing never means that the data is to be deleted.

mod ask;
pub mod client;
pub mod controller;
mod delay;
pub mod node;
pub mod objects;

pub use ask::{Refused, ask};
