//! Inline emptyDir: a directory that belongs to one pod, with a limit that is kept by a file system and not by
//! somebody who looks from time to time.
//!
//! On the disk it is a file system of its own in an image; in memory a tmpfs, or a hugetlbfs. What it is can be told
//! from the names in one directory, so that nothing is lost with the records.

mod disk;
mod memory;
mod wish;

use std::path::PathBuf;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{InlineId, InlineVolume, Kept, Kind, Ledger, Made};
use crate::error::{Error, Result};
use crate::sys::inspect::set_mode_and_group;
use crate::sys::mount::{self, MountOptions, Reach};
use crate::volume::{Bytes, Condition, FsType};

use disk::Disk;
use wish::Wish;

/// What an admin says of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The directory in which the content of those on the disk is; its parent exists.
    pub path: PathBuf,
    /// The limit of one that names none.
    pub default_size: Bytes,
    /// The greatest limit that may be named.
    pub max_size: Option<Bytes>,
    /// What all those on the disk may have together.
    pub budget: Option<Bytes>,
    /// Whether a directory without a limit may be asked for.
    pub allows_no_limit: bool,
    /// Whether programs in it may run as their owner.
    pub allows_suid: bool,
    /// Whether device nodes in it may be opened.
    pub allows_dev: bool,
}

/// What makes them.
#[derive(Debug)]
pub struct Scratch {
    settings: Settings,
    disk: Disk,
    ledger: Ledger,
}

/// Where the content of a volume is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "backing")]
pub(super) enum Backing {
    /// A file system in a file.
    Image {
        /// Of the file system.
        size: Bytes,
        /// How many files there can be.
        inodes: Option<u32>,
        /// Which one.
        fs: FsType,
    },
    /// A directory of the node, without a limit.
    Directory,
    /// Memory.
    Memory {
        /// Of the file system.
        size: Bytes,
        /// How many files there can be.
        inodes: Option<u32>,
    },
    /// Memory in huge pages.
    HugePages {
        /// Of one page.
        page: Bytes,
        /// Of all.
        size: Option<Bytes>,
        /// How many files there can be.
        inodes: Option<u32>,
    },
}

/// The bits that a group needs to use a directory, and the one that gives it all that is made there.
const FOR_GROUP: u32 = 0o2770;

// === impl Scratch ===

impl Scratch {
    /// Returns what makes emptyDirs as the admin says. The directory is made if there is none.
    pub fn new(settings: Settings) -> Result<Self> {
        let disk = Disk::open(&settings.path)?;
        let ledger = Ledger::new("roles.scratch.budget", settings.budget);
        Ok(Self { settings, disk, ledger })
    }
}

#[async_trait]
impl Kind for Scratch {
    fn plan(&self, volume: &InlineVolume) -> Result<Kept> {
        let backing = Wish::read(volume, &self.settings)?.backing;
        if let Backing::Image { size, .. } = backing {
            self.ledger.reserve(&volume.id, size)?;
        }
        Kept::of(&backing).map_err(|error| Error::internal("note what a volume is", error))
    }

    async fn make(&self, volume: &InlineVolume, planned: Kept) -> Result<Made> {
        let Wish { backing, mode, flags } = Wish::read(volume, &self.settings)?;
        let mount = match backing {
            Backing::Image { size, inodes, fs } => {
                self.disk.image(&volume.id, size, inodes, fs, &flags).await?
            }
            Backing::Directory => self.disk.directory(&volume.id, &flags)?,
            Backing::Memory { size, inodes } => memory::tmpfs(size, inodes, &flags)?,
            Backing::HugePages { page, size, inodes } => memory::huge(page, size, inodes, &flags)?,
        };
        let mode = if volume.group.is_some() { mode | FOR_GROUP } else { mode };
        set_mode_and_group(&mount, mode, volume.group).map_err(not_made)?;
        if !volume.read_only {
            return Ok(Made { mount, kept: planned });
        }
        let mount = mount::cloned(&mount, &MountOptions::read_only(), Reach::Alone);
        Ok(Made { mount: mount.map_err(not_made)?, kept: planned })
    }

    /// There is nothing to bring up to date: what is in it is the pod's own.
    async fn again(&self, _: &InlineVolume, _: &Kept, _: std::os::fd::OwnedFd) -> Result<()> {
        Ok(())
    }

    async fn remove(&self, id: &InlineId, _: Option<&Kept>) -> Result<()> {
        self.disk.remove(id)?;
        self.ledger.release(id);
        Ok(())
    }

    fn recall(&self, id: &InlineId, kept: &Kept) {
        if let Some(Backing::Image { size, .. }) = kept.read() {
            self.ledger.recall(id, size);
        }
    }

    async fn all(&self) -> Result<Vec<InlineId>> {
        self.disk.all()
    }

    fn health(&self, _: &InlineId) -> Vec<Condition> {
        Vec::new()
    }
}

fn not_made(why: crate::sys::Failure) -> Error {
    Error::internal("make an emptyDir", why)
}
