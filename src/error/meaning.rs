//! What can be the matter, in one word, and the one table from (meaning, RPC) to a gRPC code.

use serde::{Deserialize, Serialize};
use tonic::Code;

use crate::rpc::Method;

/// What is the matter, without the words: what a process tells another one that has to answer for it.
///
/// A word of a newer Orlop, which this one does not know, is read as [`Self::Internal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Meaning {
    /// The request itself cannot be right, whatever exists.
    Invalid,
    /// The thing that the request speaks of does not exist.
    NotFound,
    /// The thing exists already, but not as asked.
    Differs,
    /// The size asked for cannot be had.
    OutOfRange,
    /// There is no room in the pool.
    Exhausted,
    /// What is asked for cannot be had where it is wanted; elsewhere it may.
    Elsewhere,
    /// The node has as many volumes attached as it may.
    TooManyAttached,
    /// Somebody uses the thing.
    InUse,
    /// The state of the thing or of the node does not allow the call; a retry alone does not help.
    Unfit,
    /// A rule of the admin forbids it, or a right is missing.
    Forbidden,
    /// What should prove who asks is missing or proves something else.
    Unauthenticated,
    /// Another operation on the thing is still running.
    Pending,
    /// A page token that this driver never gave out.
    BadToken,
    /// The driver does not do this in this mode or with this pool.
    Unsupported,
    /// The disk of a pool that was here before is missing, or cannot be read.
    Absent,
    /// A peer that must answer does not.
    Unreachable,
    /// Something failed that should not have: the operator's business.
    #[serde(other)]
    Internal,
}

// === impl Meaning ===

impl Meaning {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Invalid,
        Self::NotFound,
        Self::Differs,
        Self::OutOfRange,
        Self::Exhausted,
        Self::Elsewhere,
        Self::TooManyAttached,
        Self::InUse,
        Self::Unfit,
        Self::Forbidden,
        Self::Unauthenticated,
        Self::Pending,
        Self::BadToken,
        Self::Unsupported,
        Self::Absent,
        Self::Unreachable,
        Self::Internal,
    ];

    /// Returns the gRPC code of an error with this meaning when `method` ends with it.
    ///
    /// The provisioner takes ABORTED, UNAVAILABLE, CANCELLED and DEADLINE_EXCEEDED for "perhaps still
    /// running" and every other code for "nothing is left": each row below is only as good as that is true.
    pub fn code(self, method: Method) -> Code {
        match self {
            Self::Invalid => Code::InvalidArgument,
            Self::NotFound => Code::NotFound,
            Self::Differs => Code::AlreadyExists,
            Self::OutOfRange => Code::OutOfRange,
            Self::Exhausted => no_room(method),
            Self::Absent => absent(method),
            // The scheduler looks for another place; INVALID_ARGUMENT would make it give up for minutes.
            Self::Elsewhere | Self::TooManyAttached => Code::ResourceExhausted,
            Self::InUse | Self::Unfit => Code::FailedPrecondition,
            Self::Forbidden => Code::PermissionDenied,
            Self::Unauthenticated => Code::Unauthenticated,
            Self::Pending | Self::BadToken => Code::Aborted,
            Self::Unsupported => unsupported(method),
            Self::Unreachable => Code::Unavailable,
            Self::Internal => Code::Internal,
        }
    }
}

/// No room means another thing to each caller.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the few that differ are named, all others are alike"
)]
fn no_room(method: Method) -> Code {
    match method {
        // RESOURCE_EXHAUSTED would pin the size for ever; OUT_OF_RANGE lets the user lower it again.
        Method::ControllerExpandVolume | Method::NodeExpandVolume => Code::OutOfRange,
        // Our one deviation: the snapshotter takes RESOURCE_EXHAUSTED for "still being created" and then
        // never lets the snapshot be deleted.
        Method::CreateSnapshot | Method::CreateVolumeGroupSnapshot => Code::FailedPrecondition,
        // The scheduler tries another node.
        _ => Code::ResourceExhausted,
    }
}

/// Another node may have its pool of that name; what is in this one can be had nowhere else.
fn absent(method: Method) -> Code {
    if method == Method::CreateVolume { Code::ResourceExhausted } else { Code::FailedPrecondition }
}

/// A request that names something unsupported is wrong in itself; an RPC that is off is unimplemented.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the few that differ are named, all others are alike"
)]
fn unsupported(method: Method) -> Code {
    match method {
        Method::CreateVolume | Method::ControllerExpandVolume | Method::NodeExpandVolume => {
            Code::InvalidArgument
        }
        _ => Code::Unimplemented,
    }
}
