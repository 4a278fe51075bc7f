//! Inline volumes: emptyDir, hostPath, configMap, secret and projected, as a pod names them in its own spec.
//!
//! Each [`Role`] has a CSIDriver name and a socket of its own, and one [`Kind`] that makes its volumes. Everything
//! that all of them have in common is here once: what a request must be, the intent that is on disk before anything
//! is made, the target that is reached by descriptors, the undo, and the collection of what pods that are gone left.

mod attributes;
mod collect;
pub mod config;
mod frame;
pub mod hostpath;
mod id;
mod kept;
mod kind;
mod ledger;
mod publish;
mod record;
mod request;
mod role;
pub mod scratch;
mod service;
mod stats;
mod target;
mod tmpfs;
mod volume;

pub use attributes::{Attributes, Flag, Json, Mode, Wrong};
pub use frame::Settings;
pub use id::InlineId;
pub use kept::Kept;
pub use kind::{Kind, Made};
pub use ledger::Ledger;
pub use request::TOKENS;
pub use role::{KindName, Role};
pub use service::Inline;
pub use volume::{InlineVolume, Pod, Secret, Secrets};
