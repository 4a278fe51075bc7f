//! What can go wrong with a file system, in detail, and the one place where that becomes a meaning.

use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::error::Error as Meaning;
use crate::sys::Failure;
use crate::tool::ToolError;
use crate::volume::FsType;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program was not run or failed.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// The kernel refused.
    #[error(transparent)]
    Kernel(#[from] Failure),
    /// A program that works on the image or device did not end within its limit.
    #[error("work on {} takes long", path.display())]
    Slow {
        /// The image or device.
        path: PathBuf,
        /// Which program, and how long it had.
        source: ToolError,
    },
    /// There is another file system, or none.
    #[error("{} holds no {fs}", path.display())]
    Foreign {
        /// The image or device.
        path: PathBuf,
        /// What should be there.
        fs: FsType,
    },
    /// e2fsck found what it does not repair by itself.
    #[error("{}", repair(path))]
    NeedsRepair {
        /// The image or device.
        path: PathBuf,
        /// What e2fsck said.
        source: ToolError,
    },
    /// The program for it ended well, and changed nothing.
    #[error("{} still has the UUID {found}, not {wanted}", path.display())]
    UuidUnchanged {
        /// The image.
        path: PathBuf,
        /// What it should be.
        wanted: Uuid,
        /// What it is.
        found: Uuid,
    },
    /// A superblock is not as its checksum says, or is summed in a way that we never ask for.
    #[error("the superblock of {} at byte {offset} is damaged", path.display())]
    BadChecksum {
        /// The image.
        path: PathBuf,
        /// Where in it.
        offset: u64,
    },
    /// A mounted ext4 was to be grown by a process that may not.
    #[error("{MAY_NOT_GROW}")]
    MayNotGrow {
        /// The kernel's answer.
        source: Failure,
    },
    /// The mounted file system has met an error.
    #[error("{}", stopped(at))]
    Stopped {
        /// Where it is mounted.
        at: PathBuf,
        /// The kernel's answer.
        source: Failure,
    },
}

const MAY_NOT_GROW: &str = "growing a mounted ext4 needs CAP_SYS_RESOURCE, which the driver does not \
    have: give its container that capability, or stop the pods that use the volume";

fn stopped(at: &Path) -> String {
    let at = at.display();
    format!(
        "the file system at {at} has stopped after an error: unpublish and unstage the volume, then stage it again"
    )
}

fn repair(path: &Path) -> String {
    let path = path.display();
    format!(
        "the file system on {path} is damaged beyond what may be repaired unasked: \
         run `e2fsck -f {path}` while nobody uses the volume, or restore a snapshot"
    )
}

// === impl Error ===

impl Error {
    /// Says whether space ran out below the file system.
    pub fn is_no_space(&self) -> bool {
        matches!(self, Self::Kernel(failure) if failure.is_no_space())
    }

    /// Returns the error with the image in place of its device, which is gone by the time anybody reads it.
    #[must_use]
    pub fn of_image(self, image: &Path) -> Self {
        if let Self::NeedsRepair { source, .. } = self {
            return Self::NeedsRepair { path: image.to_owned(), source };
        }
        self
    }

    /// Returns the error of a program that worked on this image or device.
    pub(super) fn of_tool(path: &Path, error: ToolError) -> Self {
        if let ToolError::TooSlow { .. } = error {
            return Self::Slow { path: path.to_owned(), source: error };
        }
        Self::Tool(error)
    }
}

impl From<Error> for Meaning {
    fn from(error: Error) -> Self {
        match error {
            Error::Slow { path, source } => {
                tracing::warn!(path = %path.display(), %source, "not done yet");
                Self::Pending { id: path.display().to_string(), seconds: None }
            }
            Error::Tool(ToolError::Missing { program }) => Self::unfit(format!(
                "{program} is not installed on this node: install the package {}",
                program.package()
            )),
            Error::NeedsRepair { path, source } => {
                Self::Unfit { reason: repair(&path), source: Some(source.into()) }
            }
            Error::MayNotGrow { source } => {
                Self::Unfit { reason: MAY_NOT_GROW.to_owned(), source: Some(source.into()) }
            }
            Error::Stopped { at, source } => {
                Self::Unfit { reason: stopped(&at), source: Some(source.into()) }
            }
            Error::Foreign { .. } => Self::unfit(error.to_string()),
            Error::Tool(_)
            | Error::Kernel(_)
            | Error::UuidUnchanged { .. }
            | Error::BadChecksum { .. } => Self::internal("work on a file system", error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::tool::Program;

    #[test]
    fn each_detail_becomes_the_meaning_that_a_caller_can_act_on() {
        let path = || PathBuf::from("/pool/volumes/v-1/data.img");
        let slow =
            || ToolError::TooSlow { program: Program::E2fsck, limit: Duration::from_secs(9) };
        let missing = ToolError::Missing { program: Program::MkfsBtrfs };
        let eperm = Failure::new("grow", std::io::Error::from_raw_os_error(1));
        for (error, expected) in [
            (
                Error::of_tool(&path(), slow()),
                "an operation on /pool/volumes/v-1/data.img is still running",
            ),
            (
                Error::Tool(missing),
                "mkfs.btrfs is not installed on this node: install the package btrfs-progs",
            ),
            (Error::MayNotGrow { source: eperm }, "growing a mounted ext4 needs CAP_SYS_RESOURCE"),
            (
                Error::NeedsRepair { path: path(), source: slow() },
                "run `e2fsck -f /pool/volumes/v-1/data.img`",
            ),
            (Error::Foreign { path: path(), fs: FsType::Xfs }, "holds no xfs"),
            (
                Error::BadChecksum { path: path(), offset: 65536 },
                "work on a file system: the superblock of",
            ),
        ] {
            let sentence = Meaning::from(error).sentence();
            assert!(sentence.contains(expected), "{sentence}");
        }
    }
}
