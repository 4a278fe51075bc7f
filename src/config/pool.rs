//! A pool of the config: its name, its kind, and how it goes together with the others.

use std::path::PathBuf;

use super::file::{KindEntry, PoolEntry};
use super::image_pool::ImagePool;
use super::mistake::Wrong;
use crate::backend::image::Place;
use crate::volume::Bytes;

/// A pool's name is a value of a `StorageClass` and a part of paths.
const LONGEST_NAME: usize = 63;

/// What a memory pool pretends to have when nothing is said.
const USUAL_MEMORY: Bytes = Bytes::gib(1024);

/// A pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// As a `StorageClass` names it.
    pub name: String,
    /// What it is.
    pub kind: Kind,
}

/// What a pool is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A file per volume behind a loop device.
    Image(ImagePool),
    /// Simulated on plain directories and files, for tests.
    Memory {
        /// How much it pretends to have.
        size: Bytes,
    },
}

// === impl Pool ===

impl Pool {
    /// Returns the pool that there is when nothing is configured.
    pub(super) fn trial(at: PathBuf) -> Self {
        Self { name: "default".to_owned(), kind: Kind::Image(ImagePool::trial(at)) }
    }

    /// Returns whether the pool is an XFS that Orlop formats, on whatever node it is.
    pub fn has_its_own_xfs(&self) -> bool {
        match &self.kind {
            Kind::Image(pool) => matches!(pool.place, Place::Device(_) | Place::File { .. }),
            Kind::Memory { .. } => false,
        }
    }

    /// Checks all entries of `pools`, alone and together.
    /// Checks the entries. There may be none where something else is served.
    pub(super) fn check_all(
        entries: Vec<PoolEntry>,
        serves_inline: bool,
    ) -> Result<Vec<Self>, Wrong> {
        if entries.is_empty() && !serves_inline {
            return Err(Wrong::new(
                "pools",
                "names no pool: name one, leave the key out for the default, or give a role of inline volumes an endpoint",
            ));
        }
        let mut pools: Vec<Self> = Vec::new();
        for (index, entry) in entries.into_iter().enumerate() {
            let of_entry = |key: &str| format!("pools[{index}].{key}");
            let pool = Self::check(entry)
                .map_err(|wrong| Wrong::new(of_entry(&wrong.key), wrong.reason))?;
            for other in &pools {
                pool.check_beside(other)
                    .map_err(|wrong| Wrong::new(of_entry(&wrong.key), wrong.reason))?;
            }
            pools.push(pool);
        }
        Ok(pools)
    }

    fn check(entry: PoolEntry) -> Result<Self, Wrong> {
        check_name(&entry.name)?;
        let name = entry.name.clone();
        let kind = match entry.kind {
            KindEntry::Image => Kind::Image(ImagePool::check(entry)?),
            KindEntry::Memory => memory(&entry)?,
        };
        Ok(Self { name, kind })
    }

    fn check_beside(&self, other: &Self) -> Result<(), Wrong> {
        if self.name == other.name {
            return Err(Wrong::new(
                "name",
                format!("{:?} is the name of another pool, too", self.name),
            ));
        }
        let (ours, theirs) = match (&self.kind, &other.kind) {
            (Kind::Memory { .. }, Kind::Memory { .. }) => return Ok(()),
            (Kind::Image(ours), Kind::Image(theirs)) => (ours, theirs),
            (Kind::Image(_), Kind::Memory { .. }) | (Kind::Memory { .. }, Kind::Image(_)) => {
                return Err(Wrong::new(
                    "kind",
                    "memory and image pools cannot be served by one driver",
                ));
            }
        };
        let (key, place) = ours.key_and_path();
        let (_, their_place) = theirs.key_and_path();
        if place.starts_with(their_place) || their_place.starts_with(place) {
            let reason = format!(
                "{} and the {} of pool {:?} overlap",
                place.display(),
                their_place.display(),
                other.name
            );
            return Err(Wrong::new(key, reason));
        }
        Ok(())
    }
}

fn check_name(name: &str) -> Result<(), Wrong> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_name = !name.is_empty() && name.len() <= LONGEST_NAME && name.chars().all(good);
    if !is_name || name.starts_with('-') || name.ends_with('-') {
        let reason = format!(
            "{name:?} is not a pool name: use 1 to {LONGEST_NAME} of a-z, 0-9 and -, with no - first or last"
        );
        return Err(Wrong::new("name", reason));
    }
    Ok(())
}

fn memory(entry: &PoolEntry) -> Result<Kind, Wrong> {
    let image_keys = [
        ("device", entry.device.is_some()),
        ("file", entry.file.is_some()),
        ("path", entry.path.is_some()),
        ("shared", entry.shared.is_some()),
        ("provisioning", entry.provisioning.is_some()),
        ("ratio", entry.ratio.is_some()),
        ("lowWater", entry.low_water.is_some()),
        ("reserve", entry.reserve.is_some()),
        ("whenFull", entry.when_full.is_some()),
    ];
    match image_keys.into_iter().find(|(_, is_there)| *is_there) {
        Some((key, _)) => Err(Wrong::new(key, "means nothing for a pool of kind memory")),
        None => Ok(Kind::Memory { size: entry.size.unwrap_or(USUAL_MEMORY) }),
    }
}
