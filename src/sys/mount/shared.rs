//! Makes a directory a mount of its own whose peers see what is mounted in it.

use std::path::Path;

use rustix::mount::{MountPropagationFlags, mount_change};

use super::{MountOptions, bind};
use crate::sys::failure::{Doing, Result};

/// Binds the directory to itself, with shared propagation: namespaces that are made from now on see what is mounted
/// in it later, and it sees theirs.
pub fn bind_shared(dir: &Path) -> Result<()> {
    bind(dir, dir, &MountOptions::default())?;
    mount_change(dir, MountPropagationFlags::SHARED)
        .doing(|| format!("make {} shared", dir.display()))
}
