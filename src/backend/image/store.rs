//! The directory of a pool, and the few ways in which things in it become real, change and cease.
//!
//! Everything here blocks and is called inside `sys::blocking`. Whoever calls holds the lock of what is
//! changed; the store orders the writes so that after a crash there is the old or the new, and nothing between.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::fs::{AtFlags, FileType, Stat};
use rustix::io::Errno;

use super::ballast::Ballast;
use super::ceased;
use super::error::{Error, Result};
use super::layout::{self, Kept};
use super::record::{self, Record};
use super::spare::Spare;
use crate::fault;
use crate::sys::beneath::{Dir, DirLock, How};
use crate::sys::failure::Doing;
use crate::sys::patience;
use crate::volume::{Bytes, VolumeId};

/// How long a lock may be held by nobody in particular.
const MOMENT: Duration = Duration::from_millis(300);

/// An open pool directory.
#[derive(Debug)]
pub(super) struct Store {
    new: Dir,
    trash: Dir,
    volumes: Dir,
    snapshots: Dir,
    groups: Dir,
    pub(super) ballast: Ballast,
    pub(super) spare: Spare,
    listing: Mutex<()>,
}

/// Something of the pool, held so that nobody else works on it: no call of ours and no program that outlived a
/// killed driver.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) dir: Dir,
    pub(super) lock: DirLock,
}

// === impl Store ===

impl Store {
    /// Opens the pool in this directory, which has all that a pool has.
    pub(super) fn open(root: &Dir) -> Result<Self> {
        Ok(Self {
            new: root.open_dir(layout::NEW)?,
            trash: root.open_dir(layout::TRASH)?,
            volumes: root.open_dir(layout::VOLUMES)?,
            snapshots: root.open_dir(layout::SNAPSHOTS)?,
            groups: root.open_dir(layout::GROUPS)?,
            ballast: Ballast::of(root)?,
            spare: Spare::of(root)?,
            listing: Mutex::new(()),
        })
    }

    /// Waits until nobody else lists the extents of an image.
    pub(super) fn turn_to_list(&self) -> MutexGuard<'_, ()> {
        self.listing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the directory in which things are built.
    pub(super) fn new_dir(&self) -> &Dir {
        &self.new
    }

    /// Returns the directory of what is being removed.
    pub(super) fn trash(&self) -> &Dir {
        &self.trash
    }

    /// Returns the directory in which things of this kind live.
    pub(super) fn parent<Id: Kept>(&self) -> &Dir {
        match Id::PARENT {
            layout::SNAPSHOTS => &self.snapshots,
            layout::GROUPS => &self.groups,
            _ => &self.volumes,
        }
    }

    /// Returns the path of the image, for programs and messages.
    pub(super) fn image_path<Id: Kept>(&self, id: &Id) -> PathBuf {
        self.parent::<Id>().path_of(id.to_string()).join(layout::IMAGE)
    }

    /// Opens the image of a volume that nobody has to hold for that.
    pub(super) fn image_of(&self, id: &VolumeId) -> crate::sys::Result<File> {
        self.volumes.open_file_in(id.as_str(), layout::IMAGE, How::ReadWrite)
    }

    /// Opens the directory of `id` and locks it. `Busy` when somebody works on it.
    pub(super) fn hold<Id: Kept>(&self, id: &Id) -> Result<Held> {
        let name = id.to_string();
        let parent = self.parent::<Id>();
        match patiently(|| parent.lock_of(&name))? {
            Some(lock) => Ok(Held { dir: parent.open_dir(&name)?, lock }),
            None => Err(Error::Busy { id: name }),
        }
    }

    /// Makes what was built real: everything in it is on the disk before its name is.
    pub(super) fn publish<Id: Kept>(&self, id: &Id, built: &Held) -> Result<()> {
        let (name, parent) = (id.to_string(), self.parent::<Id>());
        built.dir.sync()?;
        fault::point("publish: built");
        self.new.rename_noreplace(&name, parent, &name)?;
        fault::point("publish: renamed");
        let synced = parent.sync().and_then(|()| self.new.sync());
        if synced.is_err() {
            // Nobody was told of it yet; as an error it must not be real either.
            parent.rename_noreplace(&name, &self.new, &name)?;
        }
        Ok(synced?)
    }

    /// Makes the thing cease: it has no id any more, only blocks. Returns its name in the trash, or nothing when
    /// there was no space for that name and not even blocks are left of it.
    pub(super) fn bury<Id: Kept>(&self, id: &Id, held: &Held) -> Result<Option<OsString>> {
        let (name, grave) = (id.to_string(), layout::grave(id));
        let parent = self.parent::<Id>();
        // One more name can need one more block.
        match self.ballast.give_way(|| parent.rename_noreplace(&name, &self.trash, &grave)) {
            Err(failure) if failure.is_no_space() => {
                ceased::remove(parent, id, held)?;
                return Ok(None);
            }
            renamed => renamed?,
        }
        fault::point("delete: renamed");
        self.sync_graves::<Id>()?;
        Ok(Some(grave.into()))
    }

    /// Returns the name in the trash of something that was buried, if it is there still. What could not be waited
    /// for then is on the disk now.
    pub(super) fn buried<Id: Kept>(&self, id: &Id) -> Result<Option<OsString>> {
        self.sync_graves::<Id>()?;
        let names = self.trash.names()?;
        Ok(names.into_iter().find(|name| layout::is_grave(name, id)))
    }

    fn sync_graves<Id: Kept>(&self) -> Result<()> {
        self.trash.sync()?;
        Ok(self.parent::<Id>().sync()?)
    }

    /// Writes the record of something that is real or being built, with the ballast's space if there is no other,
    /// and without any if that is gone, too.
    pub(super) fn write_record<R: Record>(&self, dir: &Dir, record: &R) -> Result<()> {
        let unwritable = |source| Error::Unwritable { id: record.id().to_string(), source };
        let text = record::text(record).map_err(unwritable)?;
        match self.ballast.give_way(|| dir.write_atomically(R::Id::RECORD, &text)) {
            // Only what is real has a record that the spare can take the place of.
            Err(failure) if failure.is_no_space() && dir.exists(R::Id::RECORD)? => {
                Ok(self.spare.replace(dir, R::Id::RECORD, &text)?)
            }
            written => Ok(written?),
        }
    }

    /// Makes ready for bad times what is not: the ballast and the spare, as far as there is space.
    pub(super) fn prepare(&self) -> crate::sys::Result<()> {
        self.spare.make()?;
        self.ballast.fill()
    }
}

/// Tries to lock for a moment: one that stays locked is being worked on.
pub(super) fn patiently<T>(
    try_lock: impl Fn() -> crate::sys::Result<Option<T>>,
) -> crate::sys::Result<Option<T>> {
    patience::within(MOMENT, try_lock)
}

/// Returns what the file system says of `name`, be it a link, or nothing when there is no such name.
pub(super) fn look(dir: &Dir, name: impl AsRef<OsStr>) -> crate::sys::Result<Option<Stat>> {
    let name = name.as_ref();
    match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno).doing(|| format!("look at {}", dir.path_of(name).display())),
    }
}

/// Returns how long the image in `dir` is; one that is missing or no file has no length.
pub(super) fn image_length(dir: &Dir) -> crate::sys::Result<Bytes> {
    let stat = look(dir, layout::IMAGE)?;
    Ok(stat.filter(is_file).map_or(Bytes::ZERO, |stat| Bytes(stat.st_size.unsigned_abs())))
}

/// Checks that the image in `held` is not shorter than recorded: what is missing at its end was somebody's data.
pub(super) fn whole<R: Record>(held: &Held, record: &R) -> Result<()> {
    let (found, recorded) = (image_length(&held.dir)?, record.size());
    if found >= recorded {
        return Ok(());
    }
    let (id, image) = (record.id().to_string(), held.dir.path_of(layout::IMAGE));
    Err(Error::Shortened { what: R::NOUN, id, image, found, recorded })
}

/// Says whether it is a regular file: to open anything else could wait for ever or do something.
pub(super) fn is_file(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode).is_file()
}

/// Returns what the file system has given the file: `st_blocks` counts in 512 bytes, whatever its own blocks are.
pub(super) fn allocated(stat: &Stat) -> Bytes {
    Bytes(stat.st_blocks.unsigned_abs().saturating_mul(512))
}

/// Opens the image in `dir` for reading, which is all that can be done with a snapshot's.
pub(super) fn read_image(dir: &Dir) -> crate::sys::Result<File> {
    dir.open_file(layout::IMAGE, How::Read)
}

/// Opens the image in `dir` for reading and writing.
pub(super) fn open_image(dir: &Dir) -> crate::sys::Result<File> {
    dir.open_file(layout::IMAGE, How::ReadWrite)
}
