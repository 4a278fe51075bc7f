//! File systems in memory that are never written to swap.

use std::path::Path;

use rustix::io::Errno;

use crate::sys::Result;
use crate::sys::mount::{DetachedMount, MountOptions};

/// The file system, and how it is called.
pub(super) const TMPFS: &str = "tmpfs";

/// Makes one; nothing where the kernel cannot keep a tmpfs out of swap (before Linux 6.4).
pub(super) fn without_swap(source: &Path, options: &MountOptions) -> Result<Option<DetachedMount>> {
    let mut options = options.clone();
    options.flags.push("noswap".to_owned());
    match DetachedMount::make(TMPFS, source, &options) {
        Err(failure) if failure.errno() == Some(Errno::INVAL) => Ok(None),
        answer => answer.map(Some),
    }
}
