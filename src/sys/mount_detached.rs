//! A mount that stands nowhere: no directory leads to it, no namespace has it, nobody else can see it.
//!
//! The kernel does what it does for every mount, such as replaying a log, and the root can be opened by whoever
//! holds the descriptor. When that is closed, or its process dies, the file system is unmounted.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use super::failure::Result;
use super::mount::{MountOptions, make};

/// A mounted file system, unmounted when this is dropped.
#[derive(Debug)]
#[must_use = "the file system is unmounted at once when this is dropped"]
pub struct DetachedMount {
    mount: OwnedFd,
}

/// Mounts the file system `fs` of `source` where nobody sees it.
pub fn mount_detached(fs: &str, source: &Path, options: &MountOptions) -> Result<DetachedMount> {
    let doing = || format!("mount {fs} {} where nobody sees it", source.display());
    Ok(DetachedMount { mount: make(fs, source, options, doing)? })
}

// === impl DetachedMount ===

impl DetachedMount {
    /// Returns a path that leads this process to the root, as long as the mount lives.
    pub fn root(&self) -> PathBuf {
        PathBuf::from(format!("/proc/thread-self/fd/{}", self.mount.as_raw_fd()))
    }

    /// Unmounts the file system, as soon as everything opened below its root is closed.
    ///
    /// That can be a moment later than this returns: a process that another thread is just starting has a copy
    /// of every descriptor until its program runs.
    pub fn unmount(self) {
        drop(self.mount);
    }
}
