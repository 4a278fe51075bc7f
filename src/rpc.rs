//! What surrounds every RPC, in order: its name, its span and task and outcome, its status.

mod calls;
mod layer;
mod masked;
mod method;
mod outcome;
mod patience;
mod status;
mod stream;
mod tally;
mod unread;

pub use calls::{Calls, Running};
pub use layer::{CallsLayer, Surrounded};
pub use masked::Masked;
pub use method::Method;
pub use status::{answer, carry};
pub use tally::Tally;

use std::fmt;

/// Notes in the span of the running RPC which volume or snapshot it is about.
pub fn record_volume(id: &impl fmt::Display) {
    tracing::Span::current().record("volume", tracing::field::display(id));
}
