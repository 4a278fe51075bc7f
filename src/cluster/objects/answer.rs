//! What the statuses of all wishes have in common.

use std::fmt;

use serde::Serialize;

use super::{Condition, Failure, Phase};

/// The status of a wish: what its node answers.
pub trait Answer: Clone + Default + fmt::Debug + PartialEq + Serialize + Send + Sync {
    /// Returns when it became real, or was cut, if it ever was.
    fn created(&self) -> Option<&str>;

    /// Returns the UUID of the pool that holds it.
    fn pool_uuid(&self) -> Option<&str>;

    /// Returns whether it is healthy, and what is the matter.
    fn conditions(&self) -> &[Condition];

    /// Returns the keys that all have, to be written.
    fn common(&mut self) -> Common<'_>;
}

/// The keys that all statuses have, to be written.
#[derive(Debug)]
pub struct Common<'a> {
    /// How far the node has come.
    pub phase: &'a mut Option<Phase>,
    /// The generation of the wish that is answered.
    pub observed_generation: &'a mut Option<i64>,
    /// Why the wish could not be fulfilled.
    pub error: &'a mut Option<Failure>,
    /// Whether it is healthy, and what is the matter.
    pub conditions: &'a mut Vec<Condition>,
}

/// Implements [`Answer`] for a status that has the keys that all have.
macro_rules! answer {
    ($status:ty) => {
        impl $crate::cluster::objects::Answer for $status {
            fn created(&self) -> Option<&str> {
                self.created.as_deref()
            }

            fn pool_uuid(&self) -> Option<&str> {
                self.pool_uuid.as_deref()
            }

            fn conditions(&self) -> &[$crate::cluster::objects::Condition] {
                &self.conditions
            }

            fn common(&mut self) -> $crate::cluster::objects::Common<'_> {
                $crate::cluster::objects::Common {
                    phase: &mut self.phase,
                    observed_generation: &mut self.observed_generation,
                    error: &mut self.error,
                    conditions: &mut self.conditions,
                }
            }
        }
    };
}
pub(super) use answer;
