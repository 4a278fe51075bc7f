//! Inline emptyDir: a directory that belongs to one pod, with a limit that is kept by a file system and not by
//! somebody who looks from time to time.
//!
//! On the disk it is a file system of its own in an image, or a subvolume with a quota; in memory a tmpfs, or a
//! hugetlbfs. What it is can be told from the names in one directory, so that nothing is lost with the records.

mod disk;
mod memory;
mod quota;
mod wish;

use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{InlineId, InlineVolume, Kept, Kind, Ledger, Made};
use crate::error::{Error, Result};
use crate::sys::Failure;
use crate::sys::inspect::{set_mode_and_group, usage};
use crate::sys::mount::{DetachedMount, MountOptions, Reach};
use crate::sys::statvfs::Usage;
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
    /// Whether quotas of btrfs keep limits.
    pub squota: Squota,
    /// Whether programs in it may run as their owner.
    pub allows_suid: bool,
    /// Whether device nodes in it may be opened.
    pub allows_dev: bool,
}

/// Whether quotas of btrfs keep limits: a program that sets out to can get around them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Squota {
    /// Never.
    Forbidden,
    /// Wherever they can.
    Allowed,
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
    /// A subvolume of the node's btrfs, with a simple quota.
    Subvolume {
        /// What may be written.
        size: Bytes,
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
        if settings.squota == Squota::Allowed {
            disk.want_quotas();
        }
        let ledger = Ledger::new("roles.scratch.budget", settings.budget);
        Ok(Self { settings, disk, ledger })
    }

    fn wish(&self, volume: &InlineVolume) -> Result<Wish> {
        Wish::read(volume, &self.settings, &self.disk)
    }
}

// === impl Backing ===

impl Backing {
    /// Returns what it may take of the disk.
    fn of_disk(self) -> Option<Bytes> {
        match self {
            Self::Image { size, .. } | Self::Subvolume { size } => Some(size),
            Self::Directory | Self::Memory { .. } | Self::HugePages { .. } => None,
        }
    }
}

#[async_trait]
impl Kind for Scratch {
    fn plan(&self, volume: &InlineVolume) -> Result<Kept> {
        let backing = self.wish(volume)?.backing;
        if let Some(size) = backing.of_disk() {
            self.ledger.reserve(&volume.id, size)?;
        }
        Kept::of(&backing).map_err(|error| Error::internal("note what a volume is", error))
    }

    async fn make(&self, volume: &InlineVolume, planned: Kept) -> Result<Made> {
        let Wish { backing, mode, flags } = self.wish(volume)?;
        let mount = match planned.read().unwrap_or(backing) {
            Backing::Image { size, inodes, fs } => {
                self.disk.image(&volume.id, size, inodes, fs, &flags).await?
            }
            Backing::Subvolume { size } => self.disk.subvolume(&volume.id, size, &flags)?,
            Backing::Directory => self.disk.directory(&volume.id, &flags)?,
            Backing::Memory { size, inodes } => memory::tmpfs(size, inodes, &flags)?,
            Backing::HugePages { page, size, inodes } => memory::huge(page, size, inodes, &flags)?,
        };
        let mode = if volume.group.is_some() { mode | FOR_GROUP } else { mode };
        set_mode_and_group(&mount, mode, volume.group).map_err(not_made)?;
        if !volume.read_only {
            return Ok(Made { mount, kept: planned });
        }
        let mount = DetachedMount::copy(&mount, &MountOptions::read_only(), Reach::Alone);
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
        if let Some(size) = kept.read().and_then(Backing::of_disk) {
            self.ledger.recall(id, size);
        }
    }

    async fn all(&self) -> Result<Vec<InlineId>> {
        self.disk.all()
    }

    fn usage(&self, id: &InlineId, kept: &Kept, root: BorrowedFd<'_>) -> Result<Usage, Failure> {
        match kept.read() {
            Some(Backing::Subvolume { .. }) => quota::usage_of(id, root),
            _ => usage(root),
        }
    }

    fn health(&self, _: &InlineId) -> Vec<Condition> {
        Vec::new()
    }
}

fn not_made(why: Failure) -> Error {
    Error::internal("make an emptyDir", why)
}
