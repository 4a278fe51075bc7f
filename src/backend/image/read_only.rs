//! Reads the records of a pool beside the driver that owns it: what `orlop volumes`, `orlop snapshots` and
//! `orlop adopt --manifests` print.
//!
//! Nothing is locked, mounted or changed. A record is replaced as a whole, so that each is the old or the new;
//! one that vanishes between the listing and the look is gone.

use std::path::{Path, PathBuf};

use super::error::Result;
use super::group::{GroupRecord, is_orphan};
use super::record::{Flaw, Record, SnapshotRecord, VolumeRecord};
use super::scan::{self, Found};
use super::settings::Settings;
use super::shelf::Damaged;
use super::{layout, place};
use crate::sys::beneath::Dir;
use crate::sys::blocking;
use crate::volume::{Group, Snapshot, Volume};

/// What lies in a pool, sorted by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T> {
    /// What can be read.
    pub readable: Vec<T>,
    /// What cannot.
    pub damaged: Vec<Damaged>,
    /// The images of the readable that have not all that their records say.
    pub lost: Vec<Damaged>,
}

/// Returns the volumes of the pool.
pub async fn volumes(settings: &Settings) -> crate::error::Result<Listing<Volume>> {
    Ok(list(settings, layout::VOLUMES, |record: VolumeRecord| record.volume).await?)
}

/// Returns the snapshots of the pool.
pub async fn snapshots(settings: &Settings) -> crate::error::Result<Listing<Snapshot>> {
    let mut listing =
        list(settings, layout::SNAPSHOTS, |record: SnapshotRecord| record.snapshot).await?;
    // Members that are just being cut, or whose group is just being deleted, are not real.
    let (groups, _) = found_groups(settings).await?;
    listing.readable.retain(|snapshot| !is_orphan(&snapshot.id, &groups));
    Ok(listing)
}

/// Returns the group snapshots of the pool. Their members are among the snapshots.
pub async fn groups(settings: &Settings) -> crate::error::Result<Listing<Group>> {
    let (found, directory) = found_groups(settings).await?;
    Ok(Listing::of(found, &directory, |record| record.group))
}

/// Returns the groups with the directory that they are in. A pool that no driver has opened since groups exist has none.
async fn found_groups(settings: &Settings) -> Result<(Found<GroupRecord>, PathBuf)> {
    let root = place::find(settings).await?;
    blocking(move || {
        let root = Dir::open(&root)?;
        Ok((scan::groups(&root)?, root.path_of(layout::GROUPS)))
    })
    .await
}

// === impl Listing ===

impl<T> Listing<T> {
    fn of<R: Record>(found: Found<R>, directory: &Path, value: fn(R) -> T) -> Self {
        // What was deleted while we read looks damaged, and is not there any more.
        let there = |one: &Damaged| {
            one.flaw == Flaw::NotAnId || one.file.parent().is_some_and(Path::exists)
        };
        let damaged = found.damaged(directory).filter(there).collect();
        let lost = found.lost.into_iter().filter(there).collect();
        let readable = found.entries.into_values().filter_map(|entry| entry.record.ok());
        Self { readable: readable.map(value).collect(), damaged, lost }
    }

    /// Returns what is the matter with the image of this id, in words.
    pub fn loss(&self, id: &str) -> Option<String> {
        let is_of = |lost: &&Damaged| lost.file.parent().is_some_and(|parent| parent.ends_with(id));
        self.lost.iter().find(is_of).map(ToString::to_string)
    }
}

async fn list<R: Record, T: Send + 'static>(
    settings: &Settings,
    directory: &'static str,
    value: fn(R) -> T,
) -> Result<Listing<T>> {
    let root = place::find(settings).await?;
    blocking(move || {
        let parent = Dir::open(&root)?.open_dir(directory)?;
        let found = scan::all(&parent)?;
        Ok(Listing::of(found, parent.path(), value))
    })
    .await
}
