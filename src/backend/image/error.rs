//! What can go wrong in an image pool, in detail, and what each of it means to everybody else.

use std::path::PathBuf;

use rustix::io::Errno;

use super::copy;
use super::record::Flaw;
use crate::error::{Error as Meaning, Noun};
use crate::fs;
use crate::sys::Failure;
use crate::volume::Bytes;

/// What the functions of an image pool return among themselves.
pub(super) type Result<T> = std::result::Result<T, Error>;

/// What went wrong in an image pool.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("{what} {id} does not exist")]
    NoSuch { what: Noun, id: String },
    #[error("{what} {id} exists already, but {how}")]
    Differs { what: Noun, id: String, how: String },
    #[error("a program or another call is still working on {id}")]
    Busy { id: String },
    #[error("{what} {id} is in use: {by}")]
    InUse { what: Noun, id: String, by: String },
    #[error("{place} has no room: {asked} asked, {free} free")]
    Full { place: String, asked: Bytes, free: Bytes },
    #[error(
        "{what} {id} cannot be used: its record {file} {flaw}; put the record right, or move its directory out of \
         the pool to give it up"
    )]
    Damaged { what: Noun, id: String, file: PathBuf, flaw: Flaw },
    #[error(
        "{what} {id} has lost data: its image {image} has {found}, but its record says {recorded}"
    )]
    Shortened { what: Noun, id: String, image: PathBuf, found: Bytes, recorded: Bytes },
    /// The pool was here before, and its disk is not.
    #[error("{0}")]
    Missing(String),
    /// The state of the pool, of a volume or of the node does not allow it.
    #[error("{0}")]
    Unfit(String),
    /// A layer below has said what it means.
    #[error(transparent)]
    Meant(#[from] Meaning),
    #[error(transparent)]
    Copy(#[from] copy::Error),
    #[error(transparent)]
    FileSystem(#[from] fs::Error),
    #[error(transparent)]
    Kernel(#[from] Failure),
    #[error("cannot write the record of {id}")]
    Unwritable { id: String, source: serde_json::Error },
}

// === impl Error ===

impl Error {
    /// Returns a state that does not allow what was asked, in words that say what to do.
    pub(super) fn unfit(reason: impl Into<String>) -> Self {
        Self::Unfit(reason.into())
    }

    /// Says whether it is the disk that is the matter, and neither the config nor the driver's rights.
    pub(super) fn is_of_disk(&self) -> bool {
        match self {
            Self::Missing(_) => true,
            Self::Kernel(failure) | Self::FileSystem(fs::Error::Kernel(failure)) => {
                !matches!(failure.errno(), Some(Errno::PERM | Errno::ACCESS) | None)
            }
            Self::FileSystem(_)
            | Self::Copy(_)
            | Self::NoSuch { .. }
            | Self::Differs { .. }
            | Self::Busy { .. }
            | Self::InUse { .. }
            | Self::Full { .. }
            | Self::Damaged { .. }
            | Self::Shortened { .. }
            | Self::Unfit(_)
            | Self::Meant(_)
            | Self::Unwritable { .. } => false,
        }
    }

    /// Says whether it was space that a call to the kernel did not find.
    pub(super) fn is_no_space(&self) -> bool {
        match self {
            Self::Kernel(failure) | Self::Copy(copy::Error::Kernel(failure)) => {
                failure.is_no_space()
            }
            Self::FileSystem(error) | Self::Copy(copy::Error::FileSystem(error)) => {
                error.is_no_space()
            }
            Self::Copy(copy::Error::NoSpace { .. }) => true,
            Self::Copy(_)
            | Self::NoSuch { .. }
            | Self::Differs { .. }
            | Self::Busy { .. }
            | Self::InUse { .. }
            | Self::Full { .. }
            | Self::Damaged { .. }
            | Self::Shortened { .. }
            | Self::Missing(_)
            | Self::Unfit(_)
            | Self::Meant(_)
            | Self::Unwritable { .. } => false,
        }
    }
}

impl From<Error> for Meaning {
    fn from(error: Error) -> Self {
        match error {
            Error::Meant(meaning) => meaning,
            Error::NoSuch { what, id } => Self::NotFound { what, id },
            Error::Differs { what, id, how } => Self::Differs { what, id, how },
            Error::Busy { id } => Self::Pending { id, seconds: None },
            Error::InUse { what, id, by } => Self::InUse { what, id, by },
            Error::Full { place, asked, free } => Self::Exhausted { place, asked, free },
            Error::Damaged { .. }
            | Error::Shortened { .. }
            | Error::Missing(_)
            | Error::Unfit(_) => Self::unfit(error.to_string()),
            Error::Copy(error) => error.into(),
            Error::FileSystem(error) => error.into(),
            Error::Kernel(failure) => Self::internal(failure.to_string(), failure.source),
            Error::Unwritable { ref source, .. } => {
                let source = source.to_string();
                Self::internal(error.to_string(), source)
            }
        }
    }
}
