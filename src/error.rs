//! What can go wrong: each with a meaning, which decides the gRPC code, and with words for people.
//!
//! Variants say what is the matter and name the thing; none repeats its source in its own text: the chain
//! is joined where it is reported ([`Error::sentence`]). Nothing else in the program names a gRPC code.

mod meaning;

use std::error::Error as StdError;
use std::fmt;

use tonic::Code;

pub use meaning::Meaning;

use crate::rpc::Method;
use crate::volume::Bytes;

/// The result of everything that a request can reach.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A cause that is kept for the operator but that nobody matches on.
pub type Cause = Box<dyn StdError + Send + Sync>;

/// What kind of thing an error speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noun {
    /// A volume.
    Volume,
    /// A snapshot.
    Snapshot,
    /// A group snapshot.
    GroupSnapshot,
    /// A pool of the config.
    Pool,
    /// A node of the cluster.
    Node,
}

/// What is the matter.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request itself cannot be right, whatever exists.
    #[error("{field}: {reason}")]
    Invalid {
        /// The field of the request.
        field: &'static str,
        /// Why, and what would be right.
        reason: String,
    },
    /// The thing that the request speaks of does not exist.
    #[error("{what} {id} does not exist")]
    NotFound {
        /// Its kind.
        what: Noun,
        /// Its id, as the request has it.
        id: String,
    },
    /// The thing exists already, but not as asked.
    #[error("{what} {id} exists already, but {how}")]
    Differs {
        /// Its kind.
        what: Noun,
        /// Its id.
        id: String,
        /// In what it differs.
        how: String,
    },
    /// The size asked for cannot be had.
    #[error("{reason}")]
    OutOfRange {
        /// The size, its bounds, and what to do.
        reason: String,
    },
    /// There is no room in the pool.
    #[error("{place} has no room: {asked} asked, {free} free")]
    Exhausted {
        /// The pool.
        place: String,
        /// What was asked for.
        asked: Bytes,
        /// What there is.
        free: Bytes,
    },
    /// What is asked for cannot be had where it is wanted; elsewhere it may.
    #[error("{reason}")]
    Elsewhere {
        /// Where it is wanted, and where it can be had.
        reason: String,
    },
    /// The node has as many volumes attached as it may.
    #[error("node {node} has {limit} volumes attached, which is its limit")]
    TooManyAttached {
        /// The node.
        node: String,
        /// Its limit.
        limit: u32,
    },
    /// Somebody uses the thing.
    #[error("{what} {id} is in use: {by}")]
    InUse {
        /// Its kind.
        what: Noun,
        /// Its id.
        id: String,
        /// Who or what holds it.
        by: String,
    },
    /// The thing exists, but its state or the node's does not allow the call; a retry alone does not help.
    #[error("{reason}")]
    Unfit {
        /// What does not fit, and what to do.
        reason: String,
        /// What stands behind it, where there is more to say.
        #[source]
        source: Option<Cause>,
    },
    /// A rule of the admin forbids it, or a right is missing.
    #[error("{reason}")]
    Forbidden {
        /// Who may not do what, and whose business it is to allow it.
        reason: String,
    },
    /// What should prove who asks is missing or proves something else.
    #[error("{reason}")]
    Unauthenticated {
        /// What is missing. Never the token itself.
        reason: String,
    },
    /// Another operation on the thing is still running.
    #[error("an operation on {id} is still running{}", since(*.seconds))]
    Pending {
        /// The volume or snapshot.
        id: String,
        /// How long it has been running, where known.
        seconds: Option<u64>,
    },
    /// A page token that this driver never gave out.
    #[error(
        "starting_token {token:?} is not one that this driver gave out: start again without a token"
    )]
    BadToken {
        /// The token.
        token: String,
    },
    /// The driver does not do this in this mode or with this pool.
    #[error("{what} is not supported here")]
    Unsupported {
        /// What was asked for.
        what: String,
    },
    /// The disk of a pool that was here before is missing, or cannot be read.
    #[error("{place} is not there: {why}")]
    Absent {
        /// The pool.
        place: String,
        /// What is the matter with its disk, and what to do.
        why: String,
    },
    /// A peer that must answer does not.
    #[error("{peer} cannot be reached")]
    Unreachable {
        /// The peer.
        peer: String,
        /// Why.
        #[source]
        source: Cause,
    },
    /// Something failed that should not have: the operator's business.
    #[error("{doing}")]
    Internal {
        /// What was being done.
        doing: String,
        /// Why it failed.
        #[source]
        source: Cause,
    },
    /// What another process that had to do the work says of it: as good as if it had happened here.
    #[error("{sentence}")]
    Told {
        /// What is the matter.
        meaning: Meaning,
        /// The whole chain of causes, as [`Error::sentence`] wrote it there.
        sentence: String,
    },
}

// === impl Error ===

impl Error {
    /// Returns the volume `id` as not found.
    pub fn no_volume(id: impl fmt::Display) -> Self {
        Self::NotFound { what: Noun::Volume, id: id.to_string() }
    }

    /// Returns the snapshot `id` as not found.
    pub fn no_snapshot(id: impl fmt::Display) -> Self {
        Self::NotFound { what: Noun::Snapshot, id: id.to_string() }
    }

    /// Returns the group snapshot `id` as not found.
    pub fn no_group(id: impl fmt::Display) -> Self {
        Self::NotFound { what: Noun::GroupSnapshot, id: id.to_string() }
    }

    /// Returns the field as invalid.
    pub fn invalid(field: &'static str, reason: impl Into<String>) -> Self {
        Self::Invalid { field, reason: reason.into() }
    }

    /// Returns the state as unfit for the call.
    pub fn unfit(reason: impl Into<String>) -> Self {
        Self::Unfit { reason: reason.into(), source: None }
    }

    /// Returns that it is forbidden.
    pub fn forbidden(reason: impl Into<String>) -> Self {
        Self::Forbidden { reason: reason.into() }
    }

    /// Returns what was being done when something failed that should not have.
    pub fn internal(doing: impl Into<String>, source: impl Into<Cause>) -> Self {
        Self::Internal { doing: doing.into(), source: source.into() }
    }

    /// Returns the whole chain of causes as one sentence: what a user sees in `kubectl describe`.
    pub fn sentence(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(next) = cause {
            text.push_str(": ");
            text.push_str(&next.to_string());
            cause = next.source();
        }
        text
    }

    /// Returns what is the matter, in one word.
    pub fn meaning(&self) -> Meaning {
        match self {
            Self::Invalid { .. } => Meaning::Invalid,
            Self::NotFound { .. } => Meaning::NotFound,
            Self::Differs { .. } => Meaning::Differs,
            Self::OutOfRange { .. } => Meaning::OutOfRange,
            Self::Exhausted { .. } => Meaning::Exhausted,
            Self::Elsewhere { .. } => Meaning::Elsewhere,
            Self::TooManyAttached { .. } => Meaning::TooManyAttached,
            Self::InUse { .. } => Meaning::InUse,
            Self::Unfit { .. } => Meaning::Unfit,
            Self::Forbidden { .. } => Meaning::Forbidden,
            Self::Unauthenticated { .. } => Meaning::Unauthenticated,
            Self::Pending { .. } => Meaning::Pending,
            Self::BadToken { .. } => Meaning::BadToken,
            Self::Unsupported { .. } => Meaning::Unsupported,
            Self::Absent { .. } => Meaning::Absent,
            Self::Unreachable { .. } => Meaning::Unreachable,
            Self::Internal { .. } => Meaning::Internal,
            Self::Told { meaning, .. } => *meaning,
        }
    }

    /// Returns the gRPC code of this error when `method` ends with it.
    pub fn code(&self, method: Method) -> Code {
        self.meaning().code(method)
    }
}

fn since(seconds: Option<u64>) -> String {
    seconds.map_or_else(String::new, |seconds| format!(" (for {seconds} s)"))
}

// === impl Noun ===

impl fmt::Display for Noun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Volume => "volume",
            Self::Snapshot => "snapshot",
            Self::GroupSnapshot => "group snapshot",
            Self::Pool => "pool",
            Self::Node => "node",
        })
    }
}

#[cfg(test)]
mod tests;
