//! Takes a copy of an image: what to copy, and the few ways to do it.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Error;
use super::sharing::share_all;
use crate::fault;
use crate::sys::beneath::Dir;
use crate::sys::mountinfo::Mount;
use crate::sys::reflink::{clone_range, copy_extents, pieces};
use crate::sys::{DeviceNumber, Doing};
use crate::volume::Bytes;

/// The copy to take.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// The image to copy.
    pub source: &'a Path,
    /// The file to make, which must not exist.
    pub target: &'a Path,
    /// Who may write to it meanwhile.
    pub writers: &'a Writers,
    /// The directory of the source's volume, for the marker.
    pub volume: &'a Dir,
    /// For how long writers may be held up.
    pub freeze_limit: Duration,
    /// Whether files of this pool can share their bytes.
    pub reflink: bool,
}

/// Who may write to an image while it is copied, and the device whose limits would hold them up, if it has any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Writers {
    /// Nobody.
    Nobody,
    /// Whoever uses its file system, which can be frozen where it is mounted.
    OfFiles {
        /// A mount that can be written to.
        mount: Mount,
        /// The device with limits.
        limited: Option<DeviceNumber>,
    },
    /// Whoever has its raw device, which nobody can freeze.
    OfDevice {
        /// The node of the device.
        path: PathBuf,
        /// The device with limits.
        limited: Option<DeviceNumber>,
    },
}

/// A copy that is being taken.
#[derive(Debug)]
pub(super) struct Copy<'a> {
    pub(super) wish: &'a Wish<'a>,
    source: File,
    target: File,
    size: Bytes,
}

// === impl Wish ===

impl Wish<'_> {
    /// Says whether somebody may be writing to the source.
    pub(super) fn is_in_use(&self) -> bool {
        *self.writers != Writers::Nobody
    }

    /// Says whether its writers can be held up.
    pub(super) fn can_be_frozen(&self) -> bool {
        matches!(self.writers, Writers::OfFiles { .. })
    }
}

// === impl Copy ===

impl<'a> Copy<'a> {
    /// Opens the source and makes the target.
    pub(super) fn open(wish: &'a Wish<'a>) -> Result<Self, Error> {
        let source = File::open(wish.source).doing(|| format!("open {}", wish.source.display()))?;
        let looking = || format!("look at {}", wish.source.display());
        let size = Bytes(source.metadata().doing(looking)?.len());
        let target = OpenOptions::new().write(true).create_new(true).open(wish.target);
        let target = target.doing(|| format!("make {}", wish.target.display()));
        Ok(Self { wish, source, target: target.map_err(Error::of_copy(size))?, size })
    }

    /// Copies what nobody writes to meanwhile.
    pub(super) fn take_at_rest(&self) -> Result<(), Error> {
        if self.wish.reflink {
            return self.take_whole();
        }
        copy_extents(&self.source, &self.target).map(drop).map_err(Error::of_copy(self.size))
    }

    /// Copies the source in one call: the kernel holds the file's writers up as long as the call lasts, so that
    /// even a raw device that nobody can freeze is copied at one instant. Done again, it is as if for the first time.
    pub(super) fn take_whole(&self) -> Result<(), Error> {
        clone_range(&self.source, &self.target, 0, self.size.0)
            .map_err(Error::of_copy(self.size))?;
        fault::point("cut: cloned");
        Ok(())
    }

    /// Copies a frozen source, and asks before each piece whether to go on: the freeze, too, may have taken any
    /// time.
    pub(super) fn take_frozen(&self, go_on: impl Fn() -> Result<(), Error>) -> Result<(), Error> {
        for (offset, length) in pieces(self.size.0) {
            go_on()?;
            clone_range(&self.source, &self.target, offset, length)
                .map_err(Error::of_copy(self.size))?;
            fault::point("cut: cloned a piece");
        }
        Ok(())
    }

    /// Says whether the source is still what was copied.
    pub(super) fn is_true_still(&self) -> Result<bool, Error> {
        Ok(share_all(&self.source, &self.target)?)
    }

    /// Waits until the copy is on the disk.
    pub(super) fn sync(&self) -> Result<(), Error> {
        let doing = || format!("write {} to the disk", self.wish.target.display());
        self.target.sync_all().doing(doing).map_err(Error::of_copy(self.size))
    }
}
