//! A lock on a directory that outlives its process, if a child has it too.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{FlockOperation, Mode};
use rustix::io::Errno;

use super::{DIRECTORY, Dir};
use crate::sys::failure::{Doing, Failure, Result};

/// How often a directory is looked up again that was replaced while we locked it.
const TRIES: u32 = 8;

/// A directory that is locked until the last copy of this descriptor is closed, here or in a child process.
///
/// It is never unlocked in another way: that would take the lock from the child too.
#[derive(Debug)]
#[must_use = "the directory is unlocked when this is dropped"]
pub struct DirLock(OwnedFd);

impl Dir {
    /// Locks the directory, or returns nothing when it is locked by anybody, be it this process.
    pub fn try_lock(&self) -> Result<Option<DirLock>> {
        let doing = || format!("lock {}", self.path.display());
        // A lock belongs to the opening and not to the directory: each needs one of its own.
        let fd = rustix::fs::openat(&self.fd, ".", DIRECTORY, Mode::empty());
        fd.and_then(DirLock::try_of).doing(doing)
    }

    /// Locks the directory `name`, or returns nothing when it is locked. What is locked is the directory that
    /// has the name now: one that was moved away between the look and the lock is given up again.
    pub fn lock_of(&self, name: impl AsRef<OsStr>) -> Result<Option<DirLock>> {
        let name = name.as_ref();
        let doing = || format!("lock {}", self.path_of(name).display());
        for _ in 0..TRIES {
            let Some(lock) = DirLock::try_of(self.open_dir(name)?.fd).doing(doing)? else {
                return Ok(None);
            };
            let locked = rustix::fs::fstat(&lock.0).doing(doing)?;
            let named = self.stat(name).doing(doing)?;
            if (locked.st_dev, locked.st_ino) == (named.st_dev, named.st_ino) {
                return Ok(Some(lock));
            }
        }
        Err(Failure::refused(doing(), "it is replaced again and again"))
    }
}

// === impl DirLock ===

impl DirLock {
    /// Locks the directory of an opening that nobody else has.
    fn try_of(fd: OwnedFd) -> Result<Option<Self>, Errno> {
        match rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self(fd))),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// Returns a second descriptor of the same lock, for a child process: see `Invocation::holding`.
    pub fn duplicate(&self) -> Result<OwnedFd> {
        self.0.as_fd().try_clone_to_owned().doing(|| "duplicate the lock of a directory")
    }
}

impl From<DirLock> for OwnedFd {
    fn from(lock: DirLock) -> Self {
        lock.0
    }
}
