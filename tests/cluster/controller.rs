//! The controller writes wishes and waits for nodes, which the tests play.

mod abandoned;
mod changes;
mod copies;
mod health;
pub(crate) mod stage;
mod volumes;
