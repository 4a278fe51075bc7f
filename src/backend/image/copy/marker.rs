//! The file `frozen` in a volume's directory: we have frozen this volume, or are about to.
//!
//! It is on the disk before the freeze and goes after the thaw. A driver that is killed in between finds it at
//! its next start and thaws that volume, and no other: somebody may have frozen one for a reason of his own.

use std::os::unix::fs::FileExt;

use super::Error;
use crate::fault;
use crate::sys::beneath::{Dir, How};
use crate::sys::mountinfo::Mount;
use crate::sys::{self, Doing, freeze};

/// Its name.
pub const NAME: &str = "frozen";

/// A marker that is there.
#[derive(Debug)]
#[must_use = "the marker stays until it is removed"]
pub(super) struct Marker<'a> {
    volume: &'a Dir,
}

/// Thaws the volume in this directory if it bears our marker, and removes the marker. Returns whether there was
/// one. `mounts` are all of its mounts, or nothing when it is no device.
///
/// A volume that is not frozen, or no device any more, is as it should be. One that is a device, but has no mount
/// in sight to thaw it through, keeps the marker and is an error.
pub fn thaw_marked(volume: &Dir, mounts: Option<&[Mount]>) -> Result<bool, Error> {
    if !volume.exists(NAME)? {
        return Ok(false);
    }
    if let Some(mounts) = mounts {
        thaw_any(volume, mounts)?;
    }
    fault::point("thaw: thawed");
    Marker::of(volume).remove()?;
    Ok(true)
}

/// Thaws through the first mount that can be reached: they are all of one file system.
fn thaw_any(volume: &Dir, mounts: &[Mount]) -> Result<(), Error> {
    let mut last = None;
    for mount in mounts {
        match freeze::thaw(mount) {
            Ok(thawed) => {
                tracing::warn!(at = %mount.at.display(), thawed, "a copy was cut off here");
                return Ok(());
            }
            Err(failure) => last = Some(failure),
        }
    }
    Err(last.map_or_else(|| Error::OutOfSight { volume: volume.path().to_owned() }, Error::Kernel))
}

// === impl Marker ===

impl<'a> Marker<'a> {
    /// Returns the marker of the volume, which is there.
    pub(super) fn of(volume: &'a Dir) -> Self {
        Self { volume }
    }

    /// Makes sure that the marker is on the disk.
    pub(super) fn put(volume: &'a Dir) -> sys::Result<Self> {
        // One may be left of a thaw that failed.
        if !volume.exists(NAME)? {
            let file = volume.open_file(NAME, How::CreateNew)?;
            file.sync_all().doing(|| format!("write {}", volume.path_of(NAME).display()))?;
        }
        volume.sync()?;
        fault::point("cut: marked");
        Ok(Self::of(volume))
    }

    /// Says in it that the freeze begins, for whoever asks since when. That nothing can be written changes nothing:
    /// the marker is there.
    pub(super) fn begin(&self) {
        let noted = self.volume.open_file(NAME, How::ReadWrite).and_then(|file| {
            file.write_all_at(b"freezing\n", 0).doing(|| "note when the freeze began")
        });
        if let Err(failure) = noted {
            tracing::debug!(cause = %failure.source, "{failure}");
        }
    }

    /// Removes the marker. Should a power cut bring it back, thawing what is not frozen is no error.
    pub(super) fn remove(self) -> sys::Result<()> {
        self.volume.remove_file(NAME).map(drop)
    }
}
