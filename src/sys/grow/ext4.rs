//! Grows ext4.

use std::path::Path;

use super::{doing, open};
use crate::sys::failure::{Doing, Result};

/// Grows the ext4 at `mountpoint` to a device of `device_bytes`. Returns whether it became larger.
///
/// The kernel demands `CAP_SYS_RESOURCE` for this and answers EPERM without; resize2fs, on a file system that is
/// not mounted, needs no capability.
pub fn ext4(mountpoint: &Path, device_bytes: u64) -> Result<bool> {
    let root = open(mountpoint)?;
    let blocks = || {
        let stat = rustix::fs::fstatvfs(&root).doing(|| doing(mountpoint))?;
        Ok((stat.f_blocks, stat.f_frsize))
    };
    let (before, block_size) = blocks()?;
    let wanted = device_bytes.checked_div(block_size).unwrap_or(0);
    rustix::fs::ext4_ioc_resize_fs(&root, wanted).doing(|| doing(mountpoint))?;
    let (after, _) = blocks()?;
    Ok(after > before)
}
