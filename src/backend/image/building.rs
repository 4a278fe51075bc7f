//! Something that is being built in `new/`, where nothing is real yet.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use super::changes;
use super::error::{Error, Result};
use super::layout::{self, Kept};
use super::record::Record;
use super::store::{Held, Store, open_image, patiently, read_image};
use crate::fault;
use crate::sys::beneath::{Dir, How};
use crate::sys::failure::Doing;
use crate::sys::reflink;
use crate::volume::{Bytes, SnapshotId};

/// How often a directory is made that is taken for what an earlier attempt has left.
const TRIES: u32 = 3;

/// A directory in `new/`, locked.
///
/// It is made real by [`Building::publish`] or removed by [`Building::discard`]; one that is just dropped is
/// removed by the next attempt or the next start.
#[derive(Debug)]
pub(super) struct Building<Id> {
    store: Arc<Store>,
    id: Id,
    pub(super) held: Held,
}

// === impl Building ===

impl<Id: Kept> Building<Id> {
    /// Begins to build the id, in the place of an earlier attempt that was killed.
    pub(super) fn begin(store: &Arc<Store>, id: &Id) -> Result<Self> {
        for _ in 0..TRIES {
            if let Some(held) = make(store.new_dir(), &id.to_string())? {
                fault::point("build: directory made");
                return Ok(Self { store: Arc::clone(store), id: id.clone(), held });
            }
        }
        Err(Error::Busy { id: id.to_string() })
    }

    /// Returns the path of the image, for programs.
    pub(super) fn image_path(&self) -> PathBuf {
        self.held.dir.path_of(layout::IMAGE)
    }

    /// Makes an empty image.
    pub(super) fn make_image(&self, size: Bytes) -> Result<()> {
        let doing = || format!("give {} its size", self.image_path().display());
        let image = self.held.dir.open_file(layout::IMAGE, How::CreateNew)?;
        Ok(image.set_len(size.0).doing(doing)?)
    }

    /// Opens the image.
    pub(super) fn image(&self) -> Result<File> {
        Ok(open_image(&self.held.dir)?)
    }

    /// Gives the image its length: a copy has that of its source.
    pub(super) fn resize(&self, size: Bytes) -> Result<()> {
        let doing = || format!("give {} its size", self.image_path().display());
        Ok(self.image()?.set_len(size.0).doing(doing)?)
    }

    /// Gives the image all its blocks, if they are there: the promise is in the ledger, and this only spares the
    /// writes some work.
    pub(super) fn allocate(&self, size: Bytes) -> Result<()> {
        allocate(&self.image()?, size);
        fault::point("build: allocated");
        Ok(())
    }

    /// Makes it real, with this record.
    pub(super) fn publish<R: Record<Id = Id>>(&self, record: &R) -> Result<()> {
        let doing = || format!("write {} to the disk", self.image_path().display());
        read_image(&self.held.dir)?.sync_all().doing(doing)?;
        fault::point("build: image on the disk");
        self.publish_record(record)
    }

    /// Makes something real that is nothing but its record.
    pub(super) fn publish_record<R: Record<Id = Id>>(&self, record: &R) -> Result<()> {
        self.store.write_record(&self.held.dir, record)?;
        fault::point("build: record on the disk");
        self.store.publish(&self.id, &self.held)
    }

    /// Removes it, and returns whether nothing of it is left.
    pub(super) fn discard(&self) -> bool {
        match self.store.new_dir().remove_tree(self.id.to_string()) {
            Ok(_) => true,
            Err(failure) => {
                tracing::warn!(id = %self.id, cause = %failure.source, "{failure}");
                false
            }
        }
    }

    /// Returns its name in `new/`.
    pub(super) fn name(&self) -> String {
        self.id.to_string()
    }
}

impl Building<SnapshotId> {
    /// Gives the image the length of its record, which is the last that is changed in it, and notes where its bytes
    /// lie if that tells what changed.
    pub(super) fn complete(&self, size: Bytes, tells_changes: bool) -> Result<()> {
        self.resize(size)?;
        if tells_changes {
            // One after the other: threads that list at once hand the lock of an allocation group to and fro, and need
            // ten times as long.
            let _turn = self.store.turn_to_list();
            changes::keep(&self.held.dir);
        }
        Ok(())
    }
}

/// Makes the directory and locks it, or returns nothing when it was gone again before we had the lock: whoever
/// removes what an earlier attempt has left, under the same name, was quicker.
fn make(new: &Dir, name: &str) -> Result<Option<Held>> {
    let busy = || Error::Busy { id: name.to_owned() };
    if new.exists(name)? {
        // A program that the earlier attempt started may still be writing to its image.
        let lock = match patiently(|| new.lock_of(name)) {
            Err(failure) if failure.is_not_found() => return Ok(None),
            lock => lock?.ok_or_else(busy)?,
        };
        new.remove_tree(name)?;
        drop(lock);
    }
    let made = new.create_dir(name).and_then(|_| patiently(|| new.lock_of(name)));
    let lock = match made {
        Err(failure) if failure.is_not_found() => return Ok(None),
        lock => lock?.ok_or_else(busy)?,
    };
    Ok(Some(Held { dir: new.open_dir(name)?, lock }))
}

/// Gives the file all its blocks, if they are there.
pub(super) fn allocate(file: &File, size: Bytes) {
    if let Err(failure) = reflink::allocate(file, size.0) {
        tracing::debug!(cause = %failure.source, "{failure}");
    }
}
