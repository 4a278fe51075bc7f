//! An image pool of the config: where it is and what it promises.

use std::path::{Path, PathBuf};

use super::file::{PoolEntry, ProvisioningEntry, WhenFullEntry};
use super::mistake::Wrong;
use crate::backend::image::{Percent, Place, Provisioning, Ratio, WhenFull};

/// The ratio of a thin pool that says nothing else.
const USUAL_RATIO: Ratio = Ratio::whole(2);

/// The ratio of the pool that is there when nothing is configured: for trying out.
const TRIAL_RATIO: Ratio = Ratio::whole(10);

/// Below this share of free space nothing new is promised.
const USUAL_LOW_WATER: Percent = Percent(5);

/// The share of a pool that stays free for metadata.
const USUAL_RESERVE: Percent = Percent(2);

/// Where an image pool is and what it promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImagePool {
    /// Where.
    pub place: Place,
    /// What a volume's size promises.
    pub provisioning: Provisioning,
    /// The share that stays free for metadata.
    pub reserve: Percent,
    /// Below this share of free space nothing new is promised.
    pub low_water: Percent,
    /// What happens to the writers of a thin pool that has no room left.
    pub when_full: WhenFull,
}

// === impl ImagePool ===

impl ImagePool {
    /// Returns the pool that there is when nothing is configured.
    pub(super) fn trial(at: PathBuf) -> Self {
        Self {
            place: Place::DefaultAt(at),
            provisioning: Provisioning::Thin(TRIAL_RATIO),
            reserve: USUAL_RESERVE,
            low_water: USUAL_LOW_WATER,
            when_full: WhenFull::Pause,
        }
    }

    pub(super) fn check(entry: PoolEntry) -> Result<Self, Wrong> {
        let (provisioning, low_water) = promise(&entry)?;
        let when_full = match entry.when_full {
            Some(WhenFullEntry::Fail) => WhenFull::Fail,
            Some(WhenFullEntry::Pause) | None => WhenFull::Pause,
        };
        let reserve = reserve(&entry, provisioning, low_water)?;
        let place = place(entry, provisioning)?;
        Ok(Self { place, provisioning, reserve, low_water, when_full })
    }

    /// Returns the key that says where the pool is, and the path.
    pub fn key_and_path(&self) -> (&'static str, &Path) {
        match &self.place {
            Place::Device(path) => ("device", path),
            Place::File { path, .. } => ("file", path),
            Place::Directory { path, .. } | Place::DefaultAt(path) => ("path", path),
        }
    }
}

/// What the pool promises: thick where it has its place for itself, thin elsewhere, unless the entry says otherwise.
fn promise(entry: &PoolEntry) -> Result<(Provisioning, Percent), Wrong> {
    let usual =
        if entry.path.is_some() { ProvisioningEntry::Thin } else { ProvisioningEntry::Thick };
    match entry.provisioning.unwrap_or(usual) {
        ProvisioningEntry::Thin => {
            let ratio = entry.ratio.map_or(USUAL_RATIO, |times| times.0);
            let low_water = entry.low_water.map_or(USUAL_LOW_WATER, |share| share.0);
            Ok((Provisioning::Thin(ratio), low_water))
        }
        ProvisioningEntry::Thick => {
            let thin_keys = [
                ("ratio", entry.ratio.is_some()),
                ("lowWater", entry.low_water.is_some()),
                ("whenFull", entry.when_full.is_some()),
            ];
            match thin_keys.into_iter().find(|(_, is_there)| *is_there) {
                Some((key, _)) => Err(Wrong::new(key, "is for pools with `provisioning: thin`")),
                None => Ok((Provisioning::Thick, USUAL_LOW_WATER)),
            }
        }
    }
}

/// Nothing new is promised before what is there has to wait: the other way round a new volume would stop at once.
fn reserve(
    entry: &PoolEntry,
    provisioning: Provisioning,
    low_water: Percent,
) -> Result<Percent, Wrong> {
    let reserve = entry.reserve.map_or(USUAL_RESERVE, |share| share.0);
    let is_thin = matches!(provisioning, Provisioning::Thin(_));
    if !is_thin || reserve < low_water {
        return Ok(reserve);
    }
    // Whoever has set only one of the two has to be told of that one.
    let key = if entry.reserve.is_some() { "reserve" } else { "lowWater" };
    let reason = format!(
        "the reserve of {}% is not below lowWater, which is {}%: below the reserve the volumes of a thin pool are paused",
        reserve.0, low_water.0
    );
    Err(Wrong::new(key, reason))
}

fn place(entry: PoolEntry, provisioning: Provisioning) -> Result<Place, Wrong> {
    let shared_accepted = entry.shared.is_some();
    if shared_accepted && entry.path.is_none() {
        return Err(Wrong::new(
            "shared",
            "is for pools with `path`: a device or file belongs to its pool alone",
        ));
    }
    if entry.size.is_some() && entry.file.is_none() {
        return Err(Wrong::new(
            "size",
            "is for pools with `file`: elsewhere the pool is as large as its place",
        ));
    }
    match (entry.device, entry.file, entry.path) {
        (Some(device), None, None) if device.0.parent().is_some_and(has_star) => {
            Err(Wrong::new("device", "can have `*` in its last part only"))
        }
        (Some(device), None, None) => Ok(Place::Device(device.0)),
        (None, Some(file), None) => {
            let size = entry.size.ok_or_else(|| Wrong::new("size", "is required beside `file`"))?;
            Ok(Place::File { path: file.0, size })
        }
        (None, None, Some(path)) if provisioning == Provisioning::Thick && !shared_accepted => {
            let reason = format!(
                "others can fill the file system of {}: a thick pool there needs `shared: accepted`",
                path.0.display()
            );
            Err(Wrong::new("provisioning", reason))
        }
        (None, None, Some(path)) => Ok(Place::Directory { path: path.0, shared_accepted }),
        (None, None, None) => {
            Err(Wrong::new("path", "one of `device`, `file` and `path` is required"))
        }
        (device, _, path) => {
            let key = if path.is_some() {
                "path"
            } else if device.is_some() {
                "file"
            } else {
                "path"
            };
            Err(Wrong::new(key, "only one of `device`, `file` and `path` can be there"))
        }
    }
}

fn has_star(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().contains(&b'*')
}
