//! What can go wrong with a copy, and the one place where that becomes a meaning.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::Error as Meaning;
use crate::fs;
use crate::sys::Failure;
use crate::volume::Bytes;

/// What went wrong. Whatever it is, nothing is frozen any more, and the target is worth nothing: the caller
/// discards it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system was held still for as long as its writers are to bear.
    #[error(
        "freezing {} and copying it took longer than the limit of {limit:?}: try again when fewer \
         writes are under way, or raise freezeLimit", at.display()
    )]
    TooSlow {
        /// Where it is mounted.
        at: PathBuf,
        /// The limit.
        limit: Duration,
    },
    /// Somebody else has frozen the file system already.
    #[error("{} is frozen by somebody else: thaw it with `fsfreeze -u`, then try again", at.display())]
    FrozenAlready {
        /// Where it is mounted.
        at: PathBuf,
        /// The kernel's answer.
        source: Failure,
    },
    /// Somebody else has thawed the file system before the copy was complete.
    #[error("{} was thawed by somebody else while it was copied: try again", at.display())]
    ThawedEarly {
        /// Where it is mounted.
        at: PathBuf,
    },
    /// The file system may be frozen, and it is mounted where the driver cannot see it.
    #[error(
        "the volume in {} may be frozen still, and is mounted where the driver cannot see it or below another mount: \
         thaw it with `fsfreeze -u`", volume.display()
    )]
    OutOfSight {
        /// The directory of the volume.
        volume: PathBuf,
    },
    /// The bytes have to be copied one by one, and somebody may change them meanwhile.
    #[error(
        "the pool's file system cannot share bytes between files, so that only a volume that nobody can \
         write to can be copied: stop the pods that use it, or keep the pool on XFS"
    )]
    Busy,
    /// Raw devices were written to all the time, and nobody can hold them still.
    #[error(
        "the raw volume in {} is written to all the time, and cannot be copied at the same instant as another raw volume: \
         try again when fewer writes are under way", volume.display()
    )]
    Unsteady {
        /// The directory of the volume.
        volume: PathBuf,
    },
    /// The file system has met an error, and can neither be synced nor frozen.
    #[error("{}", stopped(at))]
    Stopped {
        /// Where it is mounted.
        at: PathBuf,
        /// The kernel's answer.
        source: Failure,
    },
    /// There is no room for the copy.
    #[error("there is no room for a copy of {size}")]
    NoSpace {
        /// The size of the source.
        size: Bytes,
        /// The kernel's answer.
        source: Failure,
    },
    /// The kernel refused.
    #[error(transparent)]
    Kernel(#[from] Failure),
    /// The copy was made, but its file system could not be put in order.
    #[error(transparent)]
    FileSystem(#[from] fs::Error),
}

fn stopped(at: &Path) -> String {
    format!(
        "the file system at {} has stopped after an error: unpublish and unstage the volume, then stage it again",
        at.display()
    )
}

// === impl Error ===

impl Error {
    /// Tells a file system that has stopped from everything else that the kernel may say of one that is mounted.
    pub(super) fn of_mount(at: &Path) -> impl Fn(Failure) -> Self {
        move |source| {
            if source.is_of_stopped() {
                Self::Stopped { at: at.to_owned(), source }
            } else {
                Self::Kernel(source)
            }
        }
    }

    /// Tells the lack of room from everything else that the kernel may say of a copy of this size.
    pub(super) fn of_copy(size: Bytes) -> impl Fn(Failure) -> Self {
        move |source| {
            if source.is_no_space() { Self::NoSpace { size, source } } else { Self::Kernel(source) }
        }
    }
}

impl From<Error> for Meaning {
    /// The caller, who knows the pool, says itself what there is room for; this is for whoever forgets.
    fn from(error: Error) -> Self {
        match error {
            Error::NoSpace { size, .. } => {
                Self::Exhausted { place: "the pool".to_owned(), asked: size, free: Bytes::ZERO }
            }
            Error::Stopped { at, source } => {
                Self::Unfit { reason: stopped(&at), source: Some(source.into()) }
            }
            Error::TooSlow { .. }
            | Error::FrozenAlready { .. }
            | Error::ThawedEarly { .. }
            | Error::OutOfSight { .. }
            | Error::Unsteady { .. }
            | Error::Busy => Self::unfit(error.to_string()),
            Error::Kernel(failure) => Self::internal("copy an image", failure),
            Error::FileSystem(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_somebody_else_is_final_and_says_what_to_do() {
        let at = || PathBuf::from("/m");
        let full = Failure::new("share", std::io::Error::from_raw_os_error(28));
        for (error, expected) in [
            (Error::TooSlow { at: at(), limit: Duration::from_secs(5) }, "raise freezeLimit"),
            (Error::ThawedEarly { at: at() }, "try again"),
            (Error::Busy, "stop the pods"),
            (Error::of_copy(Bytes::gib(2))(full), "the pool has no room: 2 GiB asked"),
        ] {
            let meaning = Meaning::from(error);
            let is_final = matches!(meaning, Meaning::Unfit { .. } | Meaning::Exhausted { .. });
            assert!(is_final, "{meaning:?}");
            assert!(meaning.sentence().contains(expected), "{}", meaning.sentence());
        }
    }
}
