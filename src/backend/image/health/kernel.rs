//! What the kernel knows of loop devices and mounts at one moment: asked once for all volumes.

use std::fs;
use std::path::{Path, PathBuf};

use crate::backend::image::error::Result;
use crate::backend::image::inspect::loops;
use crate::backend::image::{layout, uses};
use crate::sys::beneath::Dir;
use crate::sys::loopdev::{self, Backing, LoopDevice};
use crate::sys::mountinfo::{Mount, MountTable};
use crate::volume::VolumeId;

/// Where ext4 tells of its errors.
const SYSFS_EXT4: &str = "/sys/fs/ext4";

/// What the kernel adds to the name of a file that has none any more.
const DELETED: &str = " (deleted)";

/// The loop devices on one pool's file system, and all mounts.
#[derive(Debug)]
pub(super) struct Kernel {
    devices: Vec<Attached>,
    table: MountTable,
}

/// A loop device, what is behind it, and the path that the kernel shows for that.
#[derive(Debug)]
struct Attached {
    device: LoopDevice,
    backing: Backing,
    shown: PathBuf,
}

// === impl Kernel ===

impl Kernel {
    /// Asks for the devices on the file system that the directory is on.
    pub(super) fn now(volumes: &Dir) -> Result<Self> {
        let own = Backing::of(volumes.path())?.dev;
        let mut devices = Vec::new();
        for (device, shown) in loops::attached()? {
            // One that cannot be asked belongs to a disk that is dead.
            let Ok(Some(status)) = loopdev::status(&device) else { continue };
            if status.backing.dev == own {
                let shown = PathBuf::from(shown.strip_suffix(DELETED).unwrap_or(&shown));
                devices.push(Attached { device, backing: status.backing, shown });
            }
        }
        Ok(Self { devices, table: MountTable::read()? })
    }

    /// Returns the device behind which this file is.
    pub(super) fn device_of(&self, image: Backing) -> Option<&LoopDevice> {
        let attached = self.devices.iter().find(|attached| attached.backing == image);
        attached.map(|attached| &attached.device)
    }

    /// Returns the devices that were attached to the volume's image by name, and have another file: the image was
    /// replaced or removed below them.
    pub(super) fn lost(&self, id: &VolumeId, image: Option<Backing>) -> Vec<&LoopDevice> {
        let is_lost = |one: &&Attached| is_image_of(&one.shown, id) && Some(one.backing) != image;
        self.devices.iter().filter(is_lost).map(|one| &one.device).collect()
    }

    /// Returns where the device's file system is mounted.
    pub(super) fn mounts_of(&self, device: &LoopDevice) -> Vec<&Mount> {
        self.table.iter().filter(|mount| uses::is_of(mount, device)).collect()
    }
}

/// Returns what ext4 tells of the errors it has met on the device, if any.
pub(super) fn ext4_errors(device: &LoopDevice) -> Option<String> {
    let directory = Path::new(SYSFS_EXT4).join(device.path.file_name()?);
    let word = |name: &str| {
        fs::read_to_string(directory.join(name)).ok().map(|text| text.trim().to_owned())
    };
    let count = word("errors_count").filter(|count| count != "0")?;
    let place = word("last_error_func").filter(|place| !place.is_empty());
    Some(format!("{count} errors, the last in {}", place.as_deref().unwrap_or("an unknown place")))
}

fn is_image_of(shown: &Path, id: &VolumeId) -> bool {
    // Under whatever name: the image may have been moved aside.
    let mut parts = shown.iter().rev().skip(1);
    [id.as_str(), layout::VOLUMES]
        .into_iter()
        .all(|name| parts.next().is_some_and(|part| part == name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::Name;

    #[test]
    fn the_kernels_path_names_the_volume_by_its_end() {
        let id = VolumeId::of(&Name::parse("one").unwrap());
        let other = VolumeId::of(&Name::parse("two").unwrap());
        for (root, name) in [("/srv/pool", "data.img"), ("/", "data.img"), ("/p", "data.old")] {
            let shown = Path::new(root).join(format!("volumes/{id}/{name}"));
            assert!(is_image_of(&shown, &id), "{}", shown.display());
            assert!(!is_image_of(&shown, &other));
        }
        for shown in [format!("/p/snapshots/{id}/data.img"), format!("/p/trash/{id}.1/data.img")] {
            assert!(!is_image_of(Path::new(&shown), &id), "{shown}");
        }
    }
}
