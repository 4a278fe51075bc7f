//! Thaws a volume that cannot be reached by any of its mounts.
//!
//! A frozen file system lives on when its last mount goes, as with the mount namespace of a killed driver, and
//! holds its device for ever. Mounting the same device once more leads to that same file system.

use std::path::Path;

use super::Error;
use super::marker::Marker;
use crate::fault;
use crate::sys::beneath::Dir;
use crate::sys::freeze;
use crate::sys::mount::{DetachedMount, MountOptions};
use crate::volume::FsType;

/// Thaws the volume in this directory, which is `device`, through a mount that nobody sees, and removes the
/// marker.
pub fn thaw_hidden(volume: &Dir, device: &Path, fs: FsType) -> Result<(), Error> {
    let mount = DetachedMount::make(fs.as_str(), device, &MountOptions::default())?;
    let thawed = freeze::thaw_detached(&mount)?;
    tracing::warn!(device = %device.display(), thawed, "a copy was cut off here, and its volume's mounts are out of sight");
    fault::point("thaw: thawed out of sight");
    Ok(Marker::of(volume).remove()?)
}
