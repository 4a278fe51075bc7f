//! What a row of the mount table is to the driver: a place, and the loop device behind it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::host::Place;
use crate::sys::device::{self, DeviceNumber};
use crate::sys::mountinfo::{Mount, MountTable, Row};

/// The major number of loop devices: what a volume of an image pool is mounted from.
const LOOP_MAJOR: u32 = 7;

/// How the name of a loop device's node begins.
const LOOP_NODE: &[u8] = b"loop";

/// Its mounts show a number that is no device's.
const BTRFS: &str = "btrfs";

/// Says whether the device can be behind a row; [`device_of`] then knows it.
pub(super) fn may_be_of(row: &Row<'_>, device: DeviceNumber) -> bool {
    row.is_of(device) || row.is_a(BTRFS) || row.name().starts_with(LOOP_NODE)
}

/// Returns the device that is behind the mount as long as it exists, or nothing when that has to be looked at each time:
/// of a btrfs, and of a node that is bound, whose name could be changed.
pub(super) fn lasting_device(mount: &Mount) -> Option<DeviceNumber> {
    let may_be_node = is_kept_in_memory(mount) && mount.root.parent().is_some();
    (mount.fs_type != BTRFS && !may_be_node).then_some(mount.device)
}

/// Returns the places of the device that are in the table.
pub(super) fn places(table: &MountTable, device: DeviceNumber) -> Vec<Place> {
    table.iter().filter(|mount| device_of(mount) == Some(device)).map(place_of).collect()
}

/// Returns the row of the mount table as a place.
pub(super) fn place_of(mount: &Mount) -> Place {
    let node = bound_node(mount);
    let what = match &node {
        Some(_) => format!("the device {}", mount.root.display()),
        None => format!("{} of {}", mount.fs_type, Path::new(&mount.source).display()),
    };
    Place {
        at: mount.at.clone(),
        is_node: node.is_some(),
        device: node.or_else(|| mounted_loop(mount)),
        what,
        read_only: mount.options.has("ro"),
        is_stuck: node.is_none() && mount.is_stopped() && !mount.options.has("ro"),
        flags: mount.options.iter().collect(),
    }
}

/// Returns the loop device whose node is bound or whose file system is mounted.
pub(super) fn device_of(mount: &Mount) -> Option<DeviceNumber> {
    bound_node(mount).or_else(|| mounted_loop(mount))
}

/// Returns the loop device whose file system is mounted. The numbers that btrfs shows are anonymous: there the
/// source says which device it is.
fn mounted_loop(mount: &Mount) -> Option<DeviceNumber> {
    if mount.fs_type == BTRFS {
        return device::of_node(Path::new(&mount.source)).ok().flatten();
    }
    (mount.device.major == LOOP_MAJOR).then_some(mount.device)
}

/// Returns the loop device whose node is bound.
fn bound_node(mount: &Mount) -> Option<DeviceNumber> {
    let is_loop = |name: &OsStr| name.as_bytes().starts_with(LOOP_NODE);
    let named = mount.root.file_name().is_some_and(is_loop);
    let number = (is_kept_in_memory(mount) && named).then(|| device::of_node(&mount.at));
    number.and_then(std::result::Result::ok).flatten()
}

/// Says whether the mount is of a file system that nodes of devices are in.
fn is_kept_in_memory(mount: &Mount) -> bool {
    ["devtmpfs", "tmpfs"].contains(&mount.fs_type.as_str())
}
