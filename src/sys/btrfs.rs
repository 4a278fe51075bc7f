//! What btrfs has and no other file system: subvolumes, and quotas over them.
//!
//! No program is needed for any of it, nor a mount of its own. Everything takes an open directory of the file system.

mod handle;
mod name;
mod quota;
mod search;
mod subvolume;

use std::os::fd::AsFd;

use super::failure::{Doing, Result};

pub use quota::{Figures, Group, Quotas, disband, enable_simple, figures, join, limit, quotas};
pub use subvolume::{create, id, remove};

/// How the kernel calls btrfs.
const MAGIC: u32 = 0x9123_683e;

/// The number of all of btrfs's own calls.
const IOCTL: u8 = 0x94;

/// Says whether the descriptor is in a btrfs.
pub fn is_btrfs(at: impl AsFd) -> Result<bool> {
    let found = rustix::fs::fstatfs(at).doing(|| "ask a file system what it is")?;
    Ok(u32::try_from(found.f_type).is_ok_and(|kind| kind == MAGIC))
}
