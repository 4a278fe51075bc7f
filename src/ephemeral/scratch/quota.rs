//! emptyDirs on the disk that cost nothing to make: each a subvolume, whose limit btrfs keeps by a simple quota.
//!
//! The limit is that of a group, because what a pod makes in its subvolume may be subvolumes again, and those are in the
//! group, too. The number of the group comes from the volume's id, so that it is found whatever else is lost.

use std::os::fd::BorrowedFd;

use super::disk::Disk;
use super::not_made;
use crate::ephemeral::InlineId;
use crate::error::{Error, Result};
use crate::fault;
use crate::sys::Failure;
use crate::sys::btrfs::{self, Group, Quotas};
use crate::sys::inspect::usage;
use crate::sys::mount::{DetachedMount, MountOptions, Reach};
use crate::sys::statvfs::Usage;
use crate::volume::Bytes;

/// What the name of a subvolume ends in.
pub(super) const SUBVOLUME: &str = ".sub";

/// What btrfs charges beside the content, and sets aside while that is written.
const OWN: Bytes = Bytes::mib(1);

// === impl Disk ===

impl Disk {
    /// Says why no limit can be kept by a quota here, if that is so.
    pub(super) fn no_quotas(&self) -> Result<Option<&'static str>, Failure> {
        if !btrfs::is_btrfs(self.dir())? {
            return Ok(Some("roles.scratch.path is not on btrfs"));
        }
        Ok(match btrfs::quotas(self.dir())? {
            Quotas::Simple => None,
            Quotas::Off => Some("the btrfs of roles.scratch.path has no simple quotas"),
            Quotas::Full => Some(
                "somebody has turned other quotas on for the btrfs of roles.scratch.path; they are left as they are",
            ),
        })
    }

    /// Turns simple quotas on where there are none. Whatever comes of it, there are images.
    pub(super) fn want_quotas(&self) {
        let turned_on = || {
            if btrfs::is_btrfs(self.dir())? && btrfs::quotas(self.dir())? == Quotas::Off {
                btrfs::enable_simple(self.dir())?;
            }
            self.no_quotas()
        };
        match turned_on() {
            Ok(None) => tracing::info!("limits of emptyDirs are kept by simple quotas of btrfs"),
            Ok(Some(why)) => tracing::warn!("limits of emptyDirs are kept by images: {why}"),
            Err(failure) => {
                let why = not_made(failure).sentence();
                tracing::warn!(why, "limits of emptyDirs are kept by images");
            }
        }
    }

    /// Makes the subvolume, or takes the one that is there, and mounts it where nobody sees it.
    pub(super) fn subvolume(
        &self,
        id: &InlineId,
        size: Bytes,
        flags: &[String],
    ) -> Result<DetachedMount> {
        if let Some(why) = self.no_quotas().map_err(not_made)? {
            return Err(Error::unfit(format!("the limit of an emptyDir cannot be kept: {why}")));
        }
        let made = || {
            let (name, group) = (format!("{id}{SUBVOLUME}"), group(id));
            btrfs::limit(self.dir(), group, size.plus(OWN).0)?;
            fault::point("scratch quota set");
            if !self.dir().exists(&name)? {
                btrfs::create(self.dir(), &name, Some(group))?;
            }
            fault::point("scratch subvolume made");
            let root = self.dir().open_dir(&name)?;
            // One that was there may have lost its group, when somebody turned the quotas off and on again.
            btrfs::join(&root, btrfs::id(&root)?, group)?;
            let options = MountOptions { read_only: false, flags: flags.to_vec() };
            DetachedMount::copy(&root, &options, Reach::Alone)
        };
        made().map_err(not_made)
    }

    /// Removes the subvolume and its group, as far as they are there.
    pub(super) fn remove_subvolume(&self, id: &InlineId) -> Result<(), Failure> {
        self.remove_tree(&format!("{id}{SUBVOLUME}"))?;
        fault::point("scratch subvolume removed");
        if btrfs::is_btrfs(self.dir())? {
            btrfs::disband(self.dir(), group(id))?;
        }
        Ok(())
    }
}

/// Returns how full a subvolume is. `root` is its root.
pub(super) fn usage_of(id: &InlineId, root: BorrowedFd<'_>) -> Result<Usage, Failure> {
    // What is mounted is opened as a path only, which btrfs does not talk to.
    let root = crate::sys::beneath::Dir::of_opened(root)?;
    let whole = usage(&root)?;
    let figures = btrfs::figures(&root, group(id))?;
    let left = figures.limit.saturating_sub(figures.used);
    Ok(Usage {
        total_bytes: figures.limit,
        used_bytes: figures.used.min(figures.limit),
        available_bytes: left.min(whole.available_bytes),
        ..whole
    })
}

/// Returns the group of the volume: the beginning of its digest, which no two volumes of a node have in common.
fn group(id: &InlineId) -> Group {
    Group::of(id.number())
}
