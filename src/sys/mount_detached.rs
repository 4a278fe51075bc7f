//! A mount that stands nowhere: no directory leads to it, no namespace has it, nobody else can see it.
//!
//! The kernel does what it does for every mount, such as replaying a log, and the root can be opened by whoever
//! holds the descriptor. When that is closed, or its process dies, the file system is unmounted.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::mount::{MountAttrFlags, OpenTreeFlags, open_tree};

use super::beneath::Dir;
use super::failure::{Doing, Result};
use super::mount::{MountOptions, Reach, attributes, make};

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

/// Returns a second mount, where nobody sees it, of what is mounted at `root`, through which it can be written.
///
/// A mount that pods see is read-only for ever; what is written through the second is seen through the first.
pub fn writable_twin(root: impl AsFd) -> Result<DetachedMount> {
    let doing = || "open what is mounted for writing";
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    let mount = open_tree(root, "", flags).doing(doing)?;
    attributes::allow_writes(&mount).doing(doing)?;
    Ok(DetachedMount { mount })
}

// === impl DetachedMount ===

impl DetachedMount {
    /// Returns a path that leads this process to the root, as long as the mount lives.
    pub fn root(&self) -> PathBuf {
        PathBuf::from(format!("/proc/thread-self/fd/{}", self.mount.as_raw_fd()))
    }

    /// Returns the mount itself.
    pub fn as_mount(&self) -> BorrowedFd<'_> {
        self.mount.as_fd()
    }

    /// Opens the root. `path` is what messages call it.
    pub fn open_root(&self, path: impl Into<PathBuf>) -> Result<Dir> {
        Dir::reopen(&self.mount, path.into())
    }

    /// Makes the mount one through which nobody writes, and returns it, to be put somewhere.
    pub fn into_read_only(self) -> Result<OwnedFd> {
        let set = attributes::set(&self.mount, MountAttrFlags::MOUNT_ATTR_RDONLY, Reach::Alone);
        set.doing(|| "make a mount read-only")?;
        Ok(self.mount)
    }

    /// Unmounts the file system, as soon as everything opened below its root is closed.
    ///
    /// That can be a moment later than this returns: a process that another thread is just starting has a copy
    /// of every descriptor until its program runs.
    pub fn unmount(self) {
        drop(self.mount);
    }
}
