//! The custom resources: what the controller and the nodes tell each other, `orlop.dev/v1alpha1`.
//!
//! The types here are what is on the wire. Their strings and numbers take whatever the API server lets pass, because
//! a list is decoded as a whole: one object that somebody has edited by hand, or that a newer Orlop wrote, must not hide all the
//! others. What they mean is found out by the conversions to the nouns of [`crate::volume`], each of which can fail,
//! and names the object and the field then. Keys that are not known are ignored; a wish that cannot be fulfilled by
//! somebody who ignores one of its keys says so in `requires`.
//!
//! An optional key is left out and never null. No key holds a secret.

#![expect(
    unreachable_pub,
    reason = "KubeSchema copies each struct, with its `pub`, into a function"
)]
#![expect(clippy::duplicated_attributes, reason = "many printer columns have the same type")]

mod answer;
mod asked;
mod attachment;
mod crds;
mod failure;
mod feature;
mod group;
mod health;
mod home;
mod instant;
mod lean;
mod limits;
mod pool;
mod reading;
mod schema;
mod snapshot;
mod source;
mod volume;
mod wish;

pub use answer::{Answer, Common};
pub use asked::Asked;
pub use attachment::Attachment;
pub use crds::crds;
pub use failure::Failure;
pub use feature::{Feature, unknown};
pub use group::{GroupSnapshot, GroupSnapshotSpec, GroupSnapshotStatus, Member};
pub use health::{Condition, HEALTHY, conditions, health, storage_conditions, storage_health};
pub use home::Home;
pub use lean::{Lean, Parts};
pub use limits::Limits;
pub use pool::{LeastBytes, Orphan, Pool, PoolSpec, PoolStatus};
pub use snapshot::{Snapshot, SnapshotSpec, SnapshotStatus};
pub use source::Source;
pub use volume::{Volume, VolumeSpec, VolumeStatus};
pub use wish::{Phase, Wish};

#[cfg(test)]
mod tests;
