//! What all wishes have in common, whatever they wish for.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Answer, Failure, Feature, Home, Parts};
use crate::error::Result;

/// How far the node has come: it is Making it, and something may be there already; it is Ready; or it has Failed, and
/// nothing of it is left. Empty while it has not begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// The node has begun, and something may be there already.
    Making,
    /// It is there.
    Ready,
    /// It could not be made, and nothing of it is left.
    Failed,
    /// What a newer Orlop says.
    #[serde(other, skip_serializing)]
    #[schemars(skip)]
    Other,
}

/// A wish of the controller to a node.
pub trait Wish: Parts + Serialize + DeserializeOwned {
    /// What names it.
    type Id: Clone + Ord + fmt::Display + FromStr + Send + Sync + 'static;
    /// What its node answers.
    type Status: Answer;

    /// Returns the id, which is the object's name.
    fn id(&self) -> Result<Self::Id>;

    /// Returns where it is to be fulfilled.
    fn home(&self) -> Home;

    /// Returns whether what was made of it is to be removed: the only thing that makes a node remove data.
    fn is_to_be_deleted(&self) -> bool;

    /// Returns the features without which it cannot be fulfilled.
    fn requires(&self) -> &[String];

    /// Says that it cannot be fulfilled by somebody who does not know these features.
    fn require(&mut self, features: &[Feature]);

    /// Returns how far the node has come; nothing while it has not begun.
    fn phase(&self) -> Option<Phase>;

    /// Returns why the node could not fulfil it as it was at [`Self::observed_generation`].
    fn failure(&self) -> Option<&Failure>;

    /// Returns the generation of the wish that the status answers.
    fn observed_generation(&self) -> Option<i64>;

    /// Returns what the node has answered, if it has.
    fn status(&self) -> Option<&Self::Status>;

    /// Returns whether it has ever been real.
    fn is_made(&self) -> bool {
        self.status().is_some_and(|status| status.created().is_some())
    }

    /// Returns whether the status says of the wish as it is now that it cannot be fulfilled.
    fn is_refused(&self) -> bool {
        self.is_answered() && self.failure().is_some()
    }

    /// Returns whether the status answers the wish as it is now.
    fn is_answered(&self) -> bool {
        self.observed_generation().is_some_and(|seen| Some(seen) >= self.meta().generation)
    }
}

/// Implements [`Wish`] for a kind whose spec and status have the keys that all have.
macro_rules! wish {
    ($kind:ty, $id:ty, $status:ty) => {
        $crate::cluster::objects::answer::answer!($status);

        impl $crate::cluster::objects::Wish for $kind {
            type Id = $id;
            type Status = $status;

            fn id(&self) -> $crate::error::Result<$id> {
                let name = self.metadata.name.as_deref().unwrap_or_default();
                $crate::cluster::objects::reading::Reading::of(self)
                    .key("metadata.name", name.parse())
            }

            fn home(&self) -> $crate::cluster::objects::Home {
                $crate::cluster::objects::Home::new(&*self.spec.node, &*self.spec.pool)
            }

            fn is_to_be_deleted(&self) -> bool {
                self.spec.delete
            }

            fn requires(&self) -> &[String] {
                &self.spec.requires
            }

            fn require(&mut self, features: &[$crate::cluster::objects::Feature]) {
                self.spec.requires = features.iter().map(|one| one.as_str().to_owned()).collect();
            }

            fn phase(&self) -> Option<$crate::cluster::objects::Phase> {
                self.status.as_ref()?.phase
            }

            fn failure(&self) -> Option<&$crate::cluster::objects::Failure> {
                self.status.as_ref()?.error.as_ref()
            }

            fn observed_generation(&self) -> Option<i64> {
                self.status.as_ref()?.observed_generation
            }

            fn status(&self) -> Option<&$status> {
                self.status.as_ref()
            }
        }
    };
}
pub(super) use wish;
