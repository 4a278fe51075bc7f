//! What people want to know of a pool besides its records: where its volumes are mounted, what room it has, and
//! what a killed driver left behind. For `orlop volumes` and `orlop doctor`.
//!
//! It looks beside the driver that owns the pool: nothing is locked, mounted or changed, so that every number is
//! of one moment and may be another by the time it is printed.

pub(super) mod loops;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::Result;
use super::health::{self, Looked, MOST_ASKED};
use super::identity::Identity;
use super::layout;
use super::place;
use super::record::{SnapshotRecord, VolumeRecord};
use super::scan::{self, Found};
use super::settings::Settings;
use super::shelf::Damaged;
use crate::sys::beneath::Dir;
use crate::sys::questions::Questions;
use crate::sys::{blocking, reflink, statvfs};
use crate::volume::{Bytes, Unwell, VolumeId};

use loops::Loops;

/// A pool as it is found.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// Its directory.
    pub root: PathBuf,
    /// The name and the node written in it.
    pub name: String,
    /// The node that it belongs to.
    pub node: String,
    /// The size of its file system.
    pub total: Bytes,
    /// What is taken of it, by whomever.
    pub used: Bytes,
    /// What can be written to it.
    pub free: Bytes,
    /// What the sizes of its volumes and snapshots add up to.
    pub promised: Bytes,
    /// Whether a copy shares its blocks with the original.
    pub reflink: bool,
    /// How many volumes and snapshots it has, readable or not.
    pub count: (usize, usize),
    /// The records that cannot be read, and the images that have lost data.
    pub damaged: Vec<Damaged>,
    /// How many things lie in `new/` and `trash/`.
    pub left_over: (usize, usize),
    /// The volumes that are marked as frozen.
    pub frozen: Vec<VolumeId>,
    /// The loop devices on files of the pool that are no volume's image, in words.
    pub orphans: Vec<String>,
}

/// Returns whether a driver has made the pool, wherever it is mounted now.
pub async fn exists(settings: &Settings) -> crate::error::Result<bool> {
    Ok(place::is_made(settings).await?)
}

/// How a pool is found.
#[derive(Debug, Clone)]
pub enum State {
    /// No driver has made it yet.
    Unmade,
    /// A driver has made it, but it is not mounted now, and only a driver mounts it.
    Unmounted,
    /// It is there.
    There(Box<Inspection>),
}

/// Returns the pool as it is. What stands against a start of the driver is an error, as far as it can be seen.
pub async fn inspect(settings: &Settings) -> crate::error::Result<State> {
    place::obstacle(settings).await?;
    if !place::is_made(settings).await? {
        return Ok(State::Unmade);
    }
    if !place::is_mounted(settings).await? {
        return Ok(State::Unmounted);
    }
    let root = place::find(settings).await?;
    let found = blocking(move || look(root)).await?;
    Ok(found.map_or(State::Unmade, |there| State::There(Box::new(there))))
}

/// Returns the volumes of the pool with which something is the matter. What has no id is no volume.
pub async fn unwell(settings: &Settings) -> crate::error::Result<Vec<Unwell>> {
    let root = place::find(settings).await?;
    let limit = settings.freeze_limit;
    let looked = blocking(move || look_at_all(&root, limit)).await?;
    let all = health::with_file_systems(&Questions::new(MOST_ASKED), looked).await;
    Ok(all.into_iter().filter(|one| !one.conditions.is_empty()).collect())
}

/// Returns where each mounted volume of the pool is visible.
pub async fn places(settings: &Settings) -> crate::error::Result<BTreeMap<VolumeId, Vec<PathBuf>>> {
    let root = place::find(settings).await?;
    Ok(blocking(move || {
        let images = Loops::of_pool(&root)?;
        images.places()
    })
    .await?)
}

fn look_at_all(root: &Path, freeze_limit: Duration) -> Result<Vec<Looked>> {
    let volumes = Dir::open(root)?.open_dir(layout::VOLUMES)?;
    let found: Found<VolumeRecord> = scan::all(&volumes)?;
    let these = found.entries.into_iter().map(|(id, entry)| (id, entry.record.ok())).collect();
    let mut looked = health::look_at(&volumes, these, freeze_limit)?;
    // What was deleted while we looked is not there any more.
    looked.retain(|one| volumes.exists(one.id.to_string()).unwrap_or(true));
    Ok(looked)
}

fn look(root: PathBuf) -> Result<Option<Inspection>> {
    let dir = Dir::open(&root)?;
    let Some(identity) = Identity::read(&dir)? else { return Ok(None) };
    let (volumes, snapshots) = (dir.open_dir(layout::VOLUMES)?, dir.open_dir(layout::SNAPSHOTS)?);
    let of_volumes: Found<VolumeRecord> = scan::all(&volumes)?;
    let of_snapshots: Found<SnapshotRecord> = scan::all(&snapshots)?;
    let of_groups = scan::groups(&dir)?;
    let usage = statvfs::usage(&root)?;
    let left_over = |name| dir.open_dir(name)?.names().map(|names| names.len());
    Ok(Some(Inspection {
        name: identity.name,
        node: identity.node,
        total: Bytes(usage.total_bytes),
        used: Bytes(usage.used_bytes),
        free: Bytes(usage.available_bytes),
        promised: of_volumes.counted().plus(of_snapshots.counted()),
        reflink: reflink::supports_reflink(&root)?,
        count: (of_volumes.entries.len(), of_snapshots.entries.len()),
        damaged: of_volumes
            .damaged(volumes.path())
            .chain(of_snapshots.damaged(snapshots.path()))
            .chain(of_volumes.lost.iter().cloned())
            .chain(of_snapshots.lost.iter().cloned())
            .chain(of_groups.damaged(&dir.path_of(layout::GROUPS)))
            .collect(),
        left_over: (
            left_over(layout::NEW)?,
            left_over(layout::TRASH)? + of_volumes.ceased.len() + of_snapshots.ceased.len(),
        ),
        frozen: of_volumes.frozen,
        orphans: Loops::of_pool(&root)?.orphans(),
        root,
    }))
}
