//! What the kernel does with an image at this instant: the loop device behind which it is, and where that is
//! mounted. Asked each time and never remembered.

use std::fmt;
use std::fs::File;
use std::path::Path;

use crate::sys::loopdev::{self, LoopDevice};
use crate::sys::mountinfo::{Mount, MountTable};
use crate::sys::{Failure, Result, device};

/// How an image is used.
#[derive(Debug, Clone)]
pub(super) struct Use {
    /// The device that it is.
    pub(super) device: LoopDevice,
    /// Whether the device goes with its last user.
    pub(super) autoclear: bool,
    /// Where its file system is mounted.
    pub(super) mounts: Vec<Mount>,
    /// Where the device's node is bound, for a pod that uses the raw blocks.
    pub(super) nodes: Vec<Mount>,
}

/// Returns how the image is used, or nothing when it is no device.
pub(super) fn of_image(image: &File) -> Result<Option<Use>> {
    match device_of(image)? {
        Some(device) => of_device(device),
        None => Ok(None),
    }
}

/// Returns how the device of an image is used.
pub(super) fn of_device(device: LoopDevice) -> Result<Option<Use>> {
    // The device may have gone since, with its last user.
    let Some(status) = loopdev::status(&device)? else { return Ok(None) };
    let table = MountTable::read()?;
    let mounts = table.iter().filter(|mount| is_of(mount, &device)).cloned().collect();
    let nodes = table.iter().filter(|mount| is_node_of(mount, &device)).cloned().collect();
    Ok(Some(Use { device, autoclear: status.autoclear, mounts, nodes }))
}

/// Returns the device that the image is. Two of them is a state that nobody may work in.
pub(super) fn device_of(image: &File) -> Result<Option<LoopDevice>> {
    let mut devices = loopdev::find_of(image)?;
    let device = devices.pop();
    match (devices.pop(), &device) {
        (Some(other), Some(device)) => {
            Err(Failure::refused("use an image", format!("it is behind both {device} and {other}")))
        }
        _ => Ok(device),
    }
}

/// Btrfs shows numbers of its own in the table, so that its mounts are known by their source.
pub(super) fn is_of(mount: &Mount, device: &LoopDevice) -> bool {
    mount.device == device.number || Path::new(&mount.source) == device.path
}

/// A bound node shows in the table as a piece of `/dev`: which file that is has to be looked up where it is
/// bound, and only there where the name says that it may be ours.
pub(super) fn is_node_of(mount: &Mount, device: &LoopDevice) -> bool {
    mount.root.file_name() == device.path.file_name()
        && device::of_node(&mount.at).is_ok_and(|number| number == Some(device.number))
}

// === impl Use ===

impl Use {
    /// Says whether it is mounted or bound where this process can see it.
    pub(super) fn is_seen(&self) -> bool {
        !self.mounts.is_empty() || !self.nodes.is_empty()
    }

    /// Says whether it is a device that goes with its last user, and has none that can be seen.
    pub(super) fn is_going(&self) -> bool {
        self.autoclear && !self.is_seen()
    }

    /// Returns the mounts of its file system, if anybody may write to it. That a mount is read-only says
    /// nothing of the others.
    pub(super) fn writable(&self) -> impl Iterator<Item = &Mount> {
        let is_writable = |mount: &&Mount| !mount.super_options.has("ro");
        self.mounts.iter().filter(is_writable)
    }
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it is {}", self.device)?;
        for mount in &self.mounts {
            write!(f, ", mounted at {}", mount.at.display())?;
        }
        for node in &self.nodes {
            write!(f, ", bound at {}", node.at.display())?;
        }
        if !self.is_seen() {
            f.write_str(", open or mounted where the driver cannot see it")?;
        }
        Ok(())
    }
}
