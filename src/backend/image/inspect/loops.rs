//! The loop devices on the files of one pool, and which volume each of them is.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use crate::backend::image::error::Result;
use crate::backend::image::{layout, uses};
use crate::sys::failure::Doing;
use crate::sys::loopdev::{self, Backing, LoopDevice};
use crate::sys::mountinfo::MountTable;
use crate::volume::VolumeId;

const SYSFS: &str = "/sys/block";

/// The loop devices of a pool.
pub(super) struct Loops {
    of_volumes: Vec<(VolumeId, LoopDevice)>,
    /// The others, each with the path that the kernel shows for its file.
    others: Vec<(LoopDevice, String)>,
}

// === impl Loops ===

impl Loops {
    /// Asks the kernel about every loop device once, rather than about every volume.
    pub(super) fn of_pool(root: &Path) -> Result<Self> {
        let images = images(root)?;
        let own_device = Backing::of(root)?.dev;
        let is_alone = MountTable::read()?.at(root).is_some();
        let mut loops = Self { of_volumes: Vec::new(), others: Vec::new() };
        for (device, shown) in attached()? {
            // One that cannot be asked is on another pool, whose disk is gone: it is not in this one's way.
            let Ok(Some(status)) = loopdev::status(&device) else { continue };
            if let Some(id) = images.get(&status.backing) {
                loops.of_volumes.push((id.clone(), device));
            } else if status.backing.dev == own_device
                && (is_alone || Path::new(&shown).starts_with(root))
            {
                // On a file system of others the path has to tell, for a report only: it can lie.
                loops.others.push((device, shown));
            }
        }
        Ok(loops)
    }

    /// Returns where each volume is visible.
    pub(super) fn places(self) -> Result<BTreeMap<VolumeId, Vec<PathBuf>>> {
        let table = MountTable::read()?;
        let places = self.of_volumes.into_iter().map(|(id, device)| {
            let mounts = table
                .iter()
                .filter(|mount| uses::is_of(mount, &device) || uses::is_node_of(mount, &device));
            (id, mounts.map(|mount| mount.at.clone()).collect())
        });
        Ok(places.collect())
    }

    /// Returns the loop devices on files that are no volume's image, in words.
    pub(super) fn orphans(self) -> Vec<String> {
        self.others.into_iter().map(|(device, shown)| format!("{device} on {shown}")).collect()
    }
}

/// Returns the images of the pool's volumes by their numbers. A volume without one is in nobody's way here.
fn images(root: &Path) -> Result<HashMap<Backing, VolumeId>> {
    let volumes = root.join(layout::VOLUMES);
    let entries = fs::read_dir(&volumes).doing(|| format!("list {}", volumes.display()))?;
    let ids =
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<VolumeId>().ok());
    let image = |id: VolumeId| {
        let path = volumes.join(id.as_str()).join(layout::IMAGE);
        Some((Backing::of(path.as_path()).ok()?, id))
    };
    Ok(ids.filter_map(image).collect())
}

/// Returns the loop devices that have a file, with the path that the kernel shows for it.
pub(in crate::backend::image) fn attached() -> Result<Vec<(LoopDevice, String)>> {
    let entries = fs::read_dir(SYSFS).doing(|| format!("list {SYSFS}"))?;
    let found = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let shown = fs::read_to_string(entry.path().join("loop/backing_file")).ok()?;
        let node = Path::new("/dev").join(entry.file_name());
        Some((LoopDevice::at(&node).ok()??, shown.trim_end().to_owned()))
    });
    Ok(found.collect())
}
