//! Where a volume is on this node, found without reading the whole mount table: that is as long as the node has mounts,
//! and every call would pay for all other volumes.
//!
//! What exists is asked of the kernel each time. All that is remembered is which device is behind a mount, which
//! cannot change, under an id that is never given again.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::not_read;
use super::place::{device_of, may_be_of, may_be_of_any, place_of, places};
use crate::error::Result;
use crate::host::{Place, Sight};
use crate::sys;
use crate::sys::device::DeviceNumber;
use crate::sys::mount::is_mounted;
use crate::sys::mountinfo::{Mount, MountTable, Row};
use crate::sys::statmount::{self, MountId};

/// How often a look is begun anew because mounts came or went meanwhile.
const LOOKS: u32 = 16;

/// What is known of the mounts that there were at the last look.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<Arc<[Fact]>>);

/// What never changes of a mount.
#[derive(Debug, Clone, Copy)]
struct Fact {
    id: MountId,
    device: DeviceNumber,
    /// Whether it can be of another device than that: a node that is bound, or a btrfs.
    may_be_of_any: bool,
}

/// How a look ended.
enum Look {
    Seen(Sight),
    /// Something was mounted or unmounted meanwhile.
    Moved,
    /// Only the table can tell.
    Unclear,
}

// === impl Known ===

impl Known {
    /// Returns every place of the device and what is topmost at the paths, as of one moment.
    pub(super) fn sight(&self, device: Option<DeviceNumber>, paths: &[PathBuf]) -> Result<Sight> {
        for _ in 0..LOOKS {
            match self.look(device, paths) {
                Ok(Look::Seen(sight)) => return Ok(sight),
                Ok(Look::Moved) => {}
                Ok(Look::Unclear) => break,
                Err(why) => {
                    tracing::debug!(why = %why.source, "{why}; reading the mount table instead");
                    break;
                }
            }
        }
        in_table(device, paths)
    }

    fn look(&self, device: Option<DeviceNumber>, paths: &[PathBuf]) -> sys::Result<Look> {
        let Some(device) = device else {
            let nothing = !paths.iter().any(|path| is_mounted(path));
            return Ok(if nothing { Look::Seen(Sight::default()) } else { Look::Unclear });
        };
        let Some(mounts) = statmount::list()? else { return Ok(Look::Unclear) };
        let mut found: Vec<(MountId, Place)> = Vec::new();
        for id in self.may_be_of(&mounts, device)? {
            let Some(mount) = statmount::mount(id)? else { return Ok(Look::Moved) };
            if mount.source.is_empty() {
                return Ok(Look::Unclear);
            }
            if device_of(&mount) == Some(device) {
                found.push((id, place_of(&mount)));
            }
        }
        let mut topmost = Vec::new();
        for path in paths {
            match bare_at(path, &found)? {
                Some(place) => topmost.push(place.clone()),
                None if is_mounted(path) => return Ok(Look::Unclear),
                None => {}
            }
        }
        if statmount::list()?.as_ref() != Some(&mounts) {
            return Ok(Look::Moved);
        }
        let of_device = found.into_iter().map(|(_, place)| place).collect();
        Ok(Look::Seen(Sight { of_device, topmost }))
    }

    /// Returns those of the mounts that the device can be behind. Only what is new is looked at.
    fn may_be_of(&self, mounts: &[MountId], device: DeviceNumber) -> sys::Result<Vec<MountId>> {
        let before = Arc::clone(&self.lock());
        let mut facts = Vec::with_capacity(mounts.len());
        let mut old = before.iter().peekable();
        for &id in mounts {
            while old.next_if(|fact| fact.id < id).is_some() {}
            let fact = match old.next_if(|fact| fact.id == id) {
                Some(fact) => Some(*fact),
                None => statmount::mount(id)?.map(|mount| Fact::of(id, &mount)),
            };
            facts.extend(fact);
        }
        let can = |fact: &&Fact| fact.device == device || fact.may_be_of_any;
        let may_be = facts.iter().filter(can).map(|fact| fact.id).collect();
        // Whoever comes last has looked last, or nearly so: what is missing then is learned anew.
        *self.lock() = facts.into();
        Ok(may_be)
    }

    fn lock(&self) -> MutexGuard<'_, Arc<[Fact]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Fact ===

impl Fact {
    fn of(id: MountId, mount: &Mount) -> Self {
        Self { id, device: mount.device, may_be_of_any: may_be_of_any(mount) }
    }
}

/// Returns the place at the path that nothing is mounted on, and nothing below either.
fn bare_at<'a>(path: &Path, found: &'a [(MountId, Place)]) -> sys::Result<Option<&'a Place>> {
    for (id, place) in found.iter().filter(|(_, place)| place.at == path) {
        if statmount::is_covered(*id)? == Some(false) {
            return Ok(Some(place));
        }
    }
    Ok(None)
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
