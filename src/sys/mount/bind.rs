//! Shows a directory or file at a second place.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};

use super::{MountOptions, Reach, attributes, flags, target};
use crate::sys::failure::{Doing, Result};

/// Binds `source`, a directory or a file such as a device node, to `target`.
///
/// Options take effect before the mount can be seen: a read-only one is never writable, not for an instant.
/// Only options of the mount itself can be given; those of its file system are as they were mounted.
///
/// The new mount leaves its source's peer group, so that nothing which is mounted below the source later
/// appears in it. If the mount that holds `target` is shared, its peers get the new mount too.
pub fn bind(source: &Path, target: &Path, options: &MountOptions) -> Result<()> {
    let doing = || format!("bind {} to {}", source.display(), target.display());
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = open_tree(CWD, source, flags).doing(doing)?;
    place(&tree, target, options).doing(doing)
}

/// Binds what the descriptor `source` refers to, whatever its name leads to by now, to `target`.
pub fn bind_opened(source: impl AsFd, target: &Path, options: &MountOptions) -> Result<()> {
    let doing = || format!("bind an open file to {}", target.display());
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    let tree = open_tree(source, "", flags).doing(doing)?;
    place(&tree, target, options).doing(doing)
}

fn place(tree: &OwnedFd, target: &Path, options: &MountOptions) -> Result<(), Errno> {
    let attributes = flags::sort(options).attributes;
    attributes::set(tree, attributes, Reach::Alone)?;
    target::attach(tree, target)
}
