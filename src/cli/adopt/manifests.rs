//! `orlop adopt --manifests`: the objects of all that lies in the pools, from their records alone.
//!
//! They have no status: the node writes that as soon as it meets an object whose data it has.

use std::process::ExitCode;

use serde::Serialize;

use crate::backend::image::Settings;
use crate::backend::image::inspect::{State, inspect};
use crate::backend::image::read_only::{self, Listing};
use crate::cli::failure::Failure;
use crate::cli::output::say;
use crate::cli::unreadable::Unreadable;
use crate::cluster::objects::{GroupSnapshot, Home, Snapshot, Volume, Wish};
use crate::error::{Error, Result};

/// The objects of a pool.
#[derive(Debug, Default)]
struct Manifests {
    volumes: Vec<Volume>,
    snapshots: Vec<Snapshot>,
    groups: Vec<GroupSnapshot>,
    /// What has no object, because nobody can tell what it is.
    damaged: Vec<String>,
}

/// Prints the objects of the pools as YAML. What cannot be read is told, and the rest is printed.
pub(super) async fn print(pools: &[Settings]) -> std::result::Result<ExitCode, Failure> {
    let mut unreadable = Unreadable::default();
    for settings in pools {
        let manifests = unreadable.keep(&settings.name, Manifests::read(settings).await);
        let Some(manifests) = manifests else { continue };
        manifests.print(settings)?;
        if !manifests.damaged.is_empty() {
            let why = format!("what has no readable record: {}", manifests.damaged.join("; "));
            unreadable.keep::<()>(&settings.name, Err(Error::unfit(why)));
        }
    }
    unreadable.end()
}

// === impl Manifests ===

impl Manifests {
    async fn read(settings: &Settings) -> Result<Self> {
        if !is_made(settings).await? {
            return Ok(Self::default());
        }
        let home = Home::new(&*settings.node, &*settings.name);
        let volumes = read_only::volumes(settings).await?;
        let snapshots = read_only::snapshots(settings).await?;
        let groups = read_only::groups(settings).await?;
        // The members of a group have no objects of their own.
        let alone = snapshots.readable.iter().filter(|snapshot| snapshot.id.group().is_none());
        Ok(Self {
            volumes: volumes.readable.iter().map(|volume| Volume::of(volume, &home)).collect(),
            snapshots: alone.map(|snapshot| Snapshot::of(snapshot, &home)).collect(),
            groups: groups.readable.iter().map(|group| GroupSnapshot::of(group, &home)).collect(),
            damaged: [words(&volumes), words(&snapshots), words(&groups)].concat(),
        })
    }

    fn print(&self, settings: &Settings) -> std::result::Result<(), Failure> {
        let Self { volumes, snapshots, groups, .. } = self;
        say(&format!(
            "# pool {} on node {}: volumes: {}, snapshots: {}, group snapshots: {}",
            settings.name,
            settings.node,
            volumes.len(),
            snapshots.len(),
            groups.len()
        ))?;
        print_all(volumes)?;
        print_all(snapshots)?;
        print_all(groups)
    }
}

/// Returns whether there is a pool. One of another node is an error: nothing in it is on this node, until an admin says so.
async fn is_made(settings: &Settings) -> Result<bool> {
    match inspect(settings).await? {
        State::There(pool) if pool.node == settings.node => Ok(true),
        State::There(pool) => Err(Error::unfit(format!(
            "it belongs to node {}: when no other machine uses it, run `orlop adopt {}`",
            pool.node, settings.name
        ))),
        State::Unmounted => Err(Error::unfit("it is not mounted: start the driver")),
        State::Unmade => Ok(false),
    }
}

fn words<T>(listing: &Listing<T>) -> Vec<String> {
    listing.damaged.iter().map(ToString::to_string).collect()
}

fn print_all<W: Wish + Serialize>(objects: &[W]) -> std::result::Result<(), Failure> {
    for object in objects {
        say(&format!("---\n{}", serde_saphyr::to_string(object)?.trim_end()))?;
    }
    Ok(())
}
