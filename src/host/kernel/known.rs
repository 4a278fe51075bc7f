//! Where a volume is on this node, found without reading the whole mount table: that is as long as the node has mounts,
//! and every call would pay for all other volumes.
//!
//! What exists is asked of the kernel each time. All that is remembered is which device is behind a mount, where that
//! cannot change as long as the mount exists.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::not_read;
use super::place::{device_of, lasting_device, may_be_of, place_of, places};
use crate::error::Result;
use crate::host::Sight;
use crate::sys;
use crate::sys::device::DeviceNumber;
use crate::sys::mount::{is_mounted, mount_of_parent};
use crate::sys::mountinfo::{Mount, MountTable, Row};
use crate::sys::statmount::{self, MountId};

/// What is known of the mounts that there were at the last look.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<Arc<[Fact]>>);

#[derive(Debug, Clone, Copy)]
struct Fact {
    id: MountId,
    /// Nothing where it has to be looked at each time.
    device: Option<DeviceNumber>,
}

/// What is at a path.
enum At<'a> {
    Nothing,
    Ours(&'a Mount),
    Unclear,
}

// === impl Known ===

impl Known {
    /// Returns every place of the device and what is topmost at the paths.
    pub(super) fn sight(&self, device: Option<DeviceNumber>, paths: &[PathBuf]) -> Result<Sight> {
        match self.glance(device, paths) {
            Ok(Some(sight)) => return Ok(sight),
            Ok(None) => {}
            Err(why) => {
                tracing::debug!(cause = %why.source, "{why}; reading the mount table instead");
            }
        }
        in_table(device, paths)
    }

    /// Returns the same without the table, or nothing where only that can tell.
    pub(super) fn glance(
        &self,
        device: Option<DeviceNumber>,
        paths: &[PathBuf],
    ) -> sys::Result<Option<Sight>> {
        let Some(device) = device else {
            let nothing = !paths.iter().any(|path| is_mounted(path));
            return Ok(nothing.then(Sight::default));
        };
        let Some(mounts) = statmount::list()? else { return Ok(None) };
        let mut found: Vec<(MountId, Mount)> = Vec::new();
        for id in self.may_be_of(&mounts, device) {
            // What is gone by now is as good as gone before.
            let Some(mount) = statmount::mount(id)? else { continue };
            // An older kernel, which does not tell the options either.
            if mount.source.is_empty() {
                return Ok(None);
            }
            if device_of(&mount) == Some(device) {
                found.push((id, mount));
            }
        }
        let mut topmost = Vec::new();
        for path in paths {
            match at(path, &found)? {
                At::Nothing => {}
                At::Ours(mount) => topmost.push(place_of(mount)),
                At::Unclear => return Ok(None),
            }
        }
        let of_device = found.iter().map(|(_, mount)| place_of(mount)).collect();
        Ok(Some(Sight { of_device, topmost }))
    }

    /// Returns those of the mounts that the device can be behind. Only what is new is looked at.
    fn may_be_of(&self, mounts: &[MountId], device: DeviceNumber) -> Vec<MountId> {
        let before = Arc::clone(&self.lock());
        let mut old = before.iter().peekable();
        let mut known = |id: MountId| {
            while old.next_if(|fact| fact.id < id).is_some() {}
            old.next_if(|fact| fact.id == id).copied()
        };
        let facts: Arc<[Fact]> =
            mounts.iter().map(|&id| known(id).unwrap_or_else(|| Fact::of(id))).collect();
        let can = |fact: &&Fact| fact.device.is_none_or(|one| one == device);
        let may_be = facts.iter().filter(can).map(|fact| fact.id).collect();
        // Whoever comes last has looked last, or nearly so: what is missing then is learned anew.
        *self.lock() = facts;
        may_be
    }

    fn lock(&self) -> MutexGuard<'_, Arc<[Fact]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Fact ===

impl Fact {
    /// Asks once. What is gone by now, or cannot be asked, is asked for again by who needs it.
    fn of(id: MountId) -> Self {
        let mount = statmount::mount(id).ok().flatten();
        Self { id, device: mount.as_ref().and_then(lasting_device) }
    }
}

/// Returns what of the volume is at the path for who looks there: the only one, with nothing on it or in it.
fn at<'a>(path: &Path, found: &'a [(MountId, Mount)]) -> sys::Result<At<'a>> {
    let mut here = found.iter().filter(|(_, mount)| mount.at == path);
    Ok(match (here.next(), here.next()) {
        (None, _) if !is_mounted(path) => At::Nothing,
        (Some((id, mount)), None)
            if mount_of_parent(path) == Some(mount.parent)
                && statmount::is_covered(*id)? == Some(false) =>
        {
            At::Ours(mount)
        }
        _ => At::Unclear,
    })
}

/// Returns the same from the mount table.
fn in_table(device: Option<DeviceNumber>, paths: &[PathBuf]) -> Result<Sight> {
    let is_wanted = |row: &Row<'_>| {
        paths.iter().any(|path| row.is_at(path))
            || device.is_some_and(|device| may_be_of(row, device))
    };
    let table = MountTable::read_those(is_wanted).map_err(not_read)?;
    let of_device = device.map(|device| places(&table, device));
    let topmost = paths.iter().filter_map(|path| table.at(path));
    Ok(Sight { of_device: of_device.unwrap_or_default(), topmost: topmost.map(place_of).collect() })
}
