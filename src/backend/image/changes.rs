//! Which blocks of a snapshot were written, and which differ from another snapshot's: from the extents alone.
//!
//! Two images that have the same bytes of the pool's file system at the same place share them, and what is shared
//! is equal, however it came about: a shared block is never written in place. So equal places prove equal content,
//! and everything else counts as changed. This is only true of XFS: btrfs reports places that are its own, and
//! moves what lies there.

mod compare;
mod listing;
mod map;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use linux_raw_sys::general::XFS_SUPER_MAGIC;

use super::ImagePool;
use super::error::{Error, Result};
use super::layout;
use super::record::{Record as _, SnapshotRecord};
use super::store::{Store, image_length, read_image};
use crate::backend::{Changes, Part};
use crate::error;
use crate::sys::beneath::Dir;
use crate::sys::failure::Doing;
use crate::sys::{self, blocking};
use crate::volume::{Snapshot, SnapshotId};
use compare::{Pieces, differences};
use listing::Listing;

pub(super) use map::keep;

/// Says whether extents tell what changed in a pool there, whose copies share their bytes or do not.
pub(super) fn can_tell(root: &Path, reflink: bool) -> sys::Result<bool> {
    let stat = rustix::fs::statfs(root).doing(|| format!("look at {}", root.display()))?;
    Ok(reflink && stat.f_type == i64::from(XFS_SUPER_MAGIC))
}

#[async_trait]
impl Changes for ImagePool {
    async fn allocated(&self, snapshot: &Snapshot, from: u64) -> error::Result<Part> {
        Ok(self.compared(None, snapshot, from).await?)
    }

    async fn delta(&self, base: &Snapshot, target: &Snapshot, from: u64) -> error::Result<Part> {
        Ok(self.compared(Some(base), target, from).await?)
    }
}

impl ImagePool {
    /// Compares the target from `from` on with the base, or with nothing but zeros.
    async fn compared(
        &self,
        base: Option<&Snapshot>,
        target: &Snapshot,
        from: u64,
    ) -> Result<Part> {
        let (of_base, of_target) = (base.cloned(), target.clone());
        let store = Arc::clone(&self.store);
        let part = blocking(move || compared(&store, of_base.as_ref(), &of_target, from)).await;
        // Only now, because what was opened may have been a later one of the same name.
        for snapshot in base.into_iter().chain([target]) {
            self.is_still_there(snapshot).await?;
        }
        part
    }

    /// Checks that the snapshot exists, and is no later one of the same name.
    async fn is_still_there(&self, snapshot: &Snapshot) -> Result<()> {
        let found = self.snapshots.get(&snapshot.id).await?;
        if found.snapshot == *snapshot { Ok(()) } else { Err(no_such(snapshot)) }
    }
}

fn compared(store: &Store, base: Option<&Snapshot>, target: &Snapshot, from: u64) -> Result<Part> {
    let target = Image::open(store, target)?;
    let span = from..target.snapshot.size.0;
    let Some(base) = base else {
        let part = differences(Pieces::zeros(), target.pieces(from), span)?;
        target.is_still_whole()?;
        return Ok(part);
    };
    let base = Image::open(store, base)?;
    // One after the other in one thread: for every extent XFS takes the lock of the allocation group to see who shares
    // it, and two threads that hand it to and fro need ten times as long as one.
    let part = differences(base.pieces(from), target.pieces(from), span)?;
    base.is_still_whole()?;
    target.is_still_whole()?;
    Ok(part)
}

/// The open image of a snapshot.
struct Image<'a> {
    dir: Dir,
    file: File,
    snapshot: &'a Snapshot,
}

// === impl Image ===

impl<'a> Image<'a> {
    /// Opens an image that has all that was recorded: a missing end would look like a hole.
    fn open(store: &Store, snapshot: &'a Snapshot) -> Result<Self> {
        let dir = match store.parent::<SnapshotId>().open_dir(snapshot.id.as_str()) {
            // It is just being deleted.
            Err(failure) if failure.is_not_found() => return Err(no_such(snapshot)),
            opened => opened?,
        };
        let (found, recorded) = (image_length(&dir)?, snapshot.size);
        if found >= recorded {
            return match read_image(&dir) {
                Err(failure) if failure.is_not_found() => Err(no_such(snapshot)),
                file => Ok(Self { dir, file: file?, snapshot }),
            };
        }
        if dir.is_marked()? {
            return Err(no_such(snapshot));
        }
        let (what, id) = (SnapshotRecord::NOUN, snapshot.id.to_string());
        Err(Error::Shortened { what, id, image: dir.path_of(layout::IMAGE), found, recorded })
    }

    /// Returns the content from `from` on.
    fn pieces(&self, from: u64) -> Pieces<Listing<'_>> {
        Pieces::new(Listing::new(&self.dir, &self.file, from), self.snapshot.size.0)
    }

    /// Checks that what was seen was the image. One that is deleted is emptied under whoever has it open, and reads
    /// as a single hole from then on.
    fn is_still_whole(&self) -> Result<()> {
        let length = self.file.metadata().doing(|| format!("look at {}", self.snapshot.id))?.len();
        if length >= self.snapshot.size.0 { Ok(()) } else { Err(no_such(self.snapshot)) }
    }
}

fn no_such(snapshot: &Snapshot) -> Error {
    Error::NoSuch { what: SnapshotRecord::NOUN, id: snapshot.id.to_string() }
}
