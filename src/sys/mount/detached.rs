//! A mount that stands nowhere: no directory leads to it, no namespace has it, nobody else can see it.
//!
//! The kernel does what it does for every mount, such as replaying a log, and the root can be opened by whoever
//! holds the descriptor. When that is closed, or its process dies, the mount is gone, unless it was put in a place
//! before: by descriptors alone, so that no path is looked up twice.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::mount::{MountAttrFlags, MoveMountFlags, OpenTreeFlags, open_tree};

use super::{MountOptions, attributes, flags, make};
use crate::sys::beneath::Dir;
use crate::sys::failure::{Doing, Result};

/// How much of what is mounted below a directory a copy of its mount has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The directory's own file system.
    Alone,
    /// Everything that is mounted below it, too. Options hold for all of it.
    Recursive,
}

/// A mount that is gone when this is dropped, unless it has been put somewhere.
#[derive(Debug)]
#[must_use = "what is mounted is gone at once when this is dropped"]
pub struct DetachedMount {
    mount: OwnedFd,
}

// === impl DetachedMount ===

impl DetachedMount {
    /// Mounts the file system `fs` of `source`.
    pub fn make(fs: &str, source: &Path, options: &MountOptions) -> Result<Self> {
        let doing = || format!("mount {fs} {} where nobody sees it", source.display());
        Ok(Self { mount: make(fs, source, options, doing)? })
    }

    /// Copies the mount of what the descriptor refers to, from there on. The copy has the options besides those that its
    /// source has, from its first instant, and belongs to no peer group.
    pub fn copy(source: impl AsFd, options: &MountOptions, reach: Reach) -> Result<Self> {
        let copy = Self::bare_copy(source, reach)?;
        attributes::set(&copy.mount, flags::sort(options).attributes, reach)
            .doing(|| "set the options of a mount")?;
        Ok(copy)
    }

    /// Copies the mount whose root the descriptor is, as one through which it can be written.
    ///
    /// A mount that pods see is read-only for ever; what is written through its twin is seen through it.
    pub fn writable_twin(root: impl AsFd) -> Result<Self> {
        let twin = Self::bare_copy(root, Reach::Alone)?;
        attributes::allow_writes(&twin.mount).doing(|| "open what is mounted for writing")?;
        Ok(twin)
    }

    /// Puts the mount on `place`, an open directory or file, where it stays.
    pub fn put(&self, place: impl AsFd) -> Result<()> {
        let flags =
            MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
        let put = rustix::mount::move_mount(&self.mount, "", place, "", flags);
        put.doing(|| "put a mount in its place")
    }

    /// Returns a path that leads this process to the root, as long as the mount lives.
    pub fn root(&self) -> PathBuf {
        PathBuf::from(format!("/proc/thread-self/fd/{}", self.mount.as_raw_fd()))
    }

    /// Opens the root. `path` is what messages call it.
    pub fn open_root(&self, path: impl Into<PathBuf>) -> Result<Dir> {
        Dir::reopen(&self.mount, path.into())
    }

    /// Makes the mount one through which nobody writes.
    pub fn into_read_only(self) -> Result<Self> {
        let set = attributes::set(&self.mount, MountAttrFlags::MOUNT_ATTR_RDONLY, Reach::Alone);
        set.doing(|| "make a mount read-only")?;
        Ok(self)
    }

    /// Unmounts the file system, as soon as everything opened below its root is closed.
    ///
    /// That can be a moment later than this returns: a process that another thread is just starting has a copy
    /// of every descriptor until its program runs.
    pub fn unmount(self) {
        drop(self.mount);
    }

    fn bare_copy(source: impl AsFd, reach: Reach) -> Result<Self> {
        let mut flags = OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_EMPTY_PATH;
        if reach == Reach::Recursive {
            flags |= OpenTreeFlags::AT_RECURSIVE;
        }
        let mount = open_tree(source, "", flags).doing(|| "copy a mount")?;
        Ok(Self { mount })
    }
}

impl AsFd for DetachedMount {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.mount.as_fd()
    }
}
