//! Holds a file system still for the moment in which it is copied.
//!
//! A frozen file system is complete on its device: everything written before is there, and each later writer
//! waits. Whoever freezes must thaw; the guard does it on every way out, and what a killed process left frozen
//! is undone with [`thaw`].
//!
//! A mount can be covered by another one: then its path leads to a file system that is none of our business. So
//! each function asks which mount has answered, and leaves any but the one that was meant alone.

#![expect(unsafe_code, reason = "FIFREEZE and FITHAW have no wrapper in the crates we use")]

mod register;

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use rustix::fs::{AtFlags, OFlags, StatxFlags, statx};

use super::failure::{Doing, Failure, Result};
use super::mount::DetachedMount;
use super::mountinfo::Mount;

pub use register::thaw_all;

mod raw {
    nix::ioctl_readwrite!(fifreeze, b'X', 119, i32);
    nix::ioctl_readwrite!(fithaw, b'X', 120, i32);
}

/// A frozen file system, thawed when this is dropped.
#[derive(Debug)]
#[must_use = "the file system is thawed at once when this is dropped"]
pub struct Frozen {
    /// The root of the file system. It stays open, so that thawing needs no path, which may be gone by then.
    root: File,
    mountpoint: PathBuf,
    thawed: bool,
    /// Given back when it is thawed.
    _ticket: register::Ticket,
}

/// Freezes the file system of the mount. One that is frozen already is EBUSY.
pub fn freeze(mount: &Mount) -> Result<Frozen> {
    let (root, mountpoint) = (open(mount)?, &mount.at);
    let ticket = register::enter(&root, mountpoint)?;
    // SAFETY: the descriptor is open for the whole call, and the kernel ignores the argument.
    let answer = unsafe { raw::fifreeze(root.as_raw_fd(), std::ptr::null_mut()) };
    answer.doing(|| format!("freeze {}", mountpoint.display()))?;
    let answer = ticket.is_frozen(mountpoint);
    let frozen = Frozen { root, mountpoint: mountpoint.to_owned(), thawed: false, _ticket: ticket };
    // If that is not to be, the guard thaws it.
    answer.map(|()| frozen)
}

/// A file system that was frozen to stay so.
#[derive(Debug)]
pub struct FrozenForLong {
    root: File,
    mountpoint: PathBuf,
}

/// Freezes the file system of the mount, and leaves it so, also when the process ends: whoever calls has noted that
/// where its successor finds it. One that is frozen already is EBUSY.
pub fn freeze_for_long(mount: &Mount) -> Result<FrozenForLong> {
    let (root, mountpoint) = (open(mount)?, mount.at.clone());
    // SAFETY: the descriptor is open for the whole call, and the kernel ignores the argument.
    let answer = unsafe { raw::fifreeze(root.as_raw_fd(), std::ptr::null_mut()) };
    answer.doing(|| format!("freeze {}", mountpoint.display()))?;
    Ok(FrozenForLong { root, mountpoint })
}

/// Thaws the file system of the mount. Returns whether it was frozen.
pub fn thaw(mount: &Mount) -> Result<bool> {
    thaw_root(&open(mount)?, &mount.at)
}

/// Thaws the file system of a mount that stands nowhere. Returns whether it was frozen.
pub fn thaw_detached(mount: &DetachedMount) -> Result<bool> {
    let at = mount.root();
    let root = File::open(&at).doing(|| format!("open {}", at.display()))?;
    thaw_root(&root, &at)
}

/// Writes everything in the file system of the mount to its device.
pub fn syncfs(mount: &Mount) -> Result<()> {
    rustix::fs::syncfs(open(mount)?).doing(|| format!("sync {}", mount.at.display()))
}

/// Says whether the mount is what one sees at its path.
pub fn is_in_sight(mount: &Mount) -> bool {
    open(mount).is_ok()
}

// === impl FrozenForLong ===

impl FrozenForLong {
    /// Thaws the file system after all. Returns whether it was frozen.
    pub fn thaw(self) -> Result<bool> {
        thaw_root(&self.root, &self.mountpoint)
    }
}

// === impl Frozen ===

impl Frozen {
    /// Thaws the file system. Returns whether it was still frozen: somebody else may have thawed it meanwhile,
    /// and then what was copied is not of one moment.
    pub fn thaw(mut self) -> Result<bool> {
        self.thawed = true;
        thaw_root(&self.root, &self.mountpoint)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        if self.thawed {
            return;
        }
        if let Err(failure) = thaw_root(&self.root, &self.mountpoint) {
            tracing::error!(cause = %failure.source, "{failure}: its writers wait until it is thawed");
        }
    }
}

fn thaw_root(root: &File, mountpoint: &Path) -> Result<bool> {
    // SAFETY: the descriptor is open for the whole call, and the kernel ignores the argument.
    match unsafe { raw::fithaw(root.as_raw_fd(), std::ptr::null_mut()) } {
        Ok(_) => Ok(true),
        Err(Errno::EINVAL) => Ok(false),
        Err(errno) => Err(Failure::new(format!("thaw {}", mountpoint.display()), errno)),
    }
}

/// Opens the root of the mount, and nothing that lies on top of it. A pipe that a pod has put there is not waited
/// for.
fn open(mount: &Mount) -> Result<File> {
    let doing = || format!("open {}", mount.at.display());
    let flags = (OFlags::NONBLOCK | OFlags::NOFOLLOW).bits().cast_signed();
    let root = OpenOptions::new().read(true).custom_flags(flags).open(&mount.at).doing(doing)?;
    let found = statx(&root, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID).doing(doing)?;
    if found.stx_mask & StatxFlags::MNT_ID.bits() != 0 && found.stx_mnt_id == u64::from(mount.id) {
        return Ok(root);
    }
    Err(Failure::refused(doing(), format!("mount {} is not what is seen there", mount.id)))
}
