//! Asks a pool whose it is before its own file system is mounted for writing.
//!
//! Two nodes may see the same disk. A mount for writing replays the log, and where another node has the file system
//! mounted that log is alive: whoever replays it destroys what both have. So the file system is first looked into as it
//! lies on the disk, without its log and without writing a byte.

use std::path::Path;

use rustix::io::Errno;

use super::Check;
use crate::backend::image::error::Result;
use crate::backend::image::identity::Identity;
use crate::backend::image::settings::Settings;
use crate::sys::Failure;
use crate::sys::mount::{DetachedMount, MountOptions};

/// Refuses a pool that fails the check as it lies on the device.
///
/// Only what can be read counts: a pool whose node lost its power may be whole behind its log only, and is asked again
/// when that has been replayed. Nor can a file system be looked into that the kernel has mounted already; but that one
/// has no log to replay.
pub(super) fn check(device: &Path, settings: &Settings, check: Check) -> Result<()> {
    let flags = vec!["norecovery".to_owned()];
    let mount = match DetachedMount::make("xfs", device, &MountOptions { read_only: true, flags }) {
        Err(failure) if is_of_log(&failure) => {
            tracing::debug!(cause = %failure.source, "{failure}: whose the pool is will be seen when it is mounted");
            return Ok(());
        }
        mount => mount?,
    };
    let root = mount.open_root(device)?;
    match Identity::read_without_log(&root)? {
        Some(identity) => check(&identity, settings),
        None => Ok(()),
    }
}

/// Says whether the failure is one that a mount with the log does not share: what is damaged may be whole in the log, and
/// what is busy is mounted for writing already.
fn is_of_log(failure: &Failure) -> bool {
    matches!(failure.errno(), Some(Errno::UCLEAN | Errno::BADMSG | Errno::BUSY))
}
