//! Mounts that are nowhere to be seen yet, and are put where they belong by descriptors alone: no path is looked up
//! twice.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::mount::{MoveMountFlags, OpenTreeFlags, open_tree};

use super::{MountOptions, attributes, flags, make};
use crate::sys::failure::{Doing, Result};

/// How much of what is mounted below a directory a copy of its mount has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The directory's own file system.
    Alone,
    /// Everything that is mounted below it, too. Options hold for all of it.
    Recursive,
}

/// Makes the file system `fs` of `source` as a mount that is gone when the descriptor is closed, unless it has been
/// [`put`] somewhere by then.
pub fn detached(fs: &str, source: &Path, options: &MountOptions) -> Result<OwnedFd> {
    make(fs, source, options, || format!("mount {fs} {}", source.display()))
}

/// Copies the mount of what the descriptor refers to, from there on. The copy has the options besides those that its
/// source has, from its first instant, and belongs to no peer group.
pub fn cloned(source: impl AsFd, options: &MountOptions, reach: Reach) -> Result<OwnedFd> {
    let tree = copy(source, reach)?;
    attributes::set(&tree, flags::sort(options).attributes, reach)
        .doing(|| "set the options of a mount")?;
    Ok(tree)
}

/// Puts the finished mount on `place`, an open directory or file.
pub fn put(mount: impl AsFd, place: impl AsFd) -> Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(mount, "", place, "", flags).doing(|| "put a mount in its place")
}

fn copy(source: impl AsFd, reach: Reach) -> Result<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    if reach == Reach::Recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    open_tree(source, "", flags).doing(|| "copy a mount")
}
