//! Reads the records of a pool from the disk: all of them at start, on several threads, because ten thousand
//! volumes must not keep the first request waiting.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use super::group::GroupRecord;
use super::layout::{self, Kept};
use super::record::{self, Flaw, MOST_BYTES, Record};
use super::shelf::{Damaged, Entry};
use super::store::{image_length, is_file, look};
use crate::sys::Result;
use crate::sys::beneath::{Dir, How};
use crate::volume::Bytes;

/// How many threads read; more of them would wait for the same directory's lock.
const THREADS: usize = 4;

/// What lies in a directory of volumes or snapshots.
#[derive(Debug)]
pub(super) struct Found<R: Record> {
    /// What has an id.
    pub(super) entries: BTreeMap<R::Id, Entry<R>>,
    /// What has a name that is none.
    pub(super) strays: Vec<Damaged>,
    /// Those that a copy had frozen when its driver was killed.
    pub(super) frozen: Vec<R::Id>,
    /// Those that an earlier driver has paused, because the pool was full.
    pub(super) paused: Vec<R::Id>,
    /// Those that have ceased where they are, and are not removed yet.
    pub(super) ceased: Vec<R::Id>,
    /// The images that have not all that their records say.
    pub(super) lost: Vec<Damaged>,
}

/// What lies in the directory of one id.
enum Lies<R> {
    Real(Real<R>),
    /// Something that has ceased.
    Ceased,
}

/// Something that is real.
struct Real<R> {
    entry: Entry<R>,
    /// Whether it is marked as frozen.
    frozen: bool,
    /// Whether it is marked as paused.
    paused: bool,
    /// What is the matter with its image.
    lost: Option<Flaw>,
}

/// Reads everything in the directory.
pub(super) fn all<R: Record>(parent: &Dir) -> Result<Found<R>> {
    let names = parent.names()?;
    let share = names.len().div_ceil(THREADS).max(1);
    let parts: Vec<Found<R>> = thread::scope(|scope| {
        let start = |names| scope.spawn(move || some(parent, names));
        let readers: Vec<_> = names.chunks(share).map(start).collect();
        readers
            .into_iter()
            .map(|reader| reader.join().unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    });
    Ok(parts.into_iter().fold(Found::default(), Found::with))
}

/// Reads the groups of the pool in `root`. One that no driver has opened since groups exist has none.
pub(super) fn groups(root: &Dir) -> super::error::Result<Found<GroupRecord>> {
    if !root.exists(layout::GROUPS)? {
        return Ok(Found::default());
    }
    Ok(all(&root.open_dir(layout::GROUPS)?)?)
}

/// Reads one entry again, or finds it gone.
pub(super) fn entry<R: Record>(parent: &Dir, id: &R::Id) -> Result<Option<Entry<R>>> {
    if look(parent, id.to_string())?.is_none() {
        return Ok(None);
    }
    match read(parent, id) {
        Lies::Real(real) => Ok(Some(real.entry)),
        Lies::Ceased => Ok(None),
    }
}

/// Returns where the record of `id` is.
pub(super) fn record_path<Id: Kept>(parent: &Path, id: &Id) -> PathBuf {
    parent.join(id.to_string()).join(Id::RECORD)
}

fn some<R: Record>(parent: &Dir, names: &[OsString]) -> Found<R> {
    let mut found = Found::default();
    for name in names {
        let Some(id) = name.to_str().and_then(|name| name.parse::<R::Id>().ok()) else {
            found.strays.push(stray(parent, name));
            continue;
        };
        match read::<R>(parent, &id) {
            Lies::Ceased => found.ceased.push(id),
            Lies::Real(Real { entry, frozen, paused, lost }) => {
                if paused {
                    found.paused.push(id.clone());
                }
                if frozen {
                    found.frozen.push(id.clone());
                }
                if let Some(flaw) = lost {
                    let file = parent.path_of(id.to_string()).join(layout::IMAGE);
                    found.lost.push(Damaged { file, flaw, size: entry.counted });
                }
                found.entries.insert(id, entry);
            }
        }
    }
    found
}

/// Reads one entry. Whatever is the matter hurts this entry alone.
fn read<R: Record>(parent: &Dir, id: &R::Id) -> Lies<R> {
    let opened = parent.open_dir(id.to_string()).and_then(|dir| Ok((dir.is_marked()?, dir)));
    let dir = match opened {
        Ok((false, dir)) => dir,
        Ok((true, _)) => return Lies::Ceased,
        Err(failure) => {
            let entry = Entry { record: Err(Flaw::unreadable(&failure)), counted: Bytes::ZERO };
            return Lies::Real(Real { entry, frozen: false, paused: false, lost: None });
        }
    };
    let record = text(&dir, R::Id::RECORD)
        .unwrap_or_else(|failure| Err(Flaw::unreadable(&failure)))
        .and_then(|text| record::parse::<R>(&text, id));
    // Behind the record: an expand that is under way makes the image longer first.
    let image = image_length(&dir).unwrap_or_default();
    let lost = record.as_ref().ok().and_then(|record| lost(image, record.size()));
    // An image that is longer than its record says is an expand that was not finished: its space is taken.
    let counted = record.as_ref().map_or(image, |record| record.size().max(image));
    let frozen = look(&dir, layout::FROZEN).is_ok_and(|stat| stat.is_some());
    let paused = look(&dir, layout::PAUSED).is_ok_and(|stat| stat.is_some());
    Lies::Real(Real { entry: Entry { record, counted }, frozen, paused, lost })
}

/// Says what is the matter with an image of this length.
fn lost(found: Bytes, recorded: Bytes) -> Option<Flaw> {
    match found {
        found if found >= recorded => None,
        Bytes::ZERO => Some(Flaw::NoImage),
        found => Some(Flaw::Shortened { found, recorded }),
    }
}

/// Reads a record's text. Anything but a regular file of moderate size is not even opened.
fn text(dir: &Dir, name: &str) -> Result<std::result::Result<Vec<u8>, Flaw>> {
    let Some(stat) = look(dir, name)? else { return Ok(Err(Flaw::Missing)) };
    if !is_file(&stat) {
        return Ok(Err(Flaw::NotAFile));
    }
    let size = stat.st_size.unsigned_abs();
    if size > MOST_BYTES {
        return Ok(Err(Flaw::TooLarge(size)));
    }
    let mut text = Vec::new();
    let read = dir.open_file(name, How::Read)?.take(MOST_BYTES).read_to_end(&mut text);
    match read {
        Ok(_) => Ok(Ok(text)),
        Err(error) => Ok(Err(Flaw::Unreadable(error.to_string()))),
    }
}

/// Returns those of the entries whose records cannot be read.
pub(super) fn damaged<R: Record>(
    entries: &BTreeMap<R::Id, Entry<R>>,
    parent: &Path,
) -> impl Iterator<Item = Damaged> {
    entries.iter().filter_map(move |(id, entry)| {
        let flaw = entry.record.as_ref().err()?.clone();
        Some(Damaged { file: record_path(parent, id), flaw, size: entry.counted })
    })
}

fn stray(parent: &Dir, name: &OsStr) -> Damaged {
    let size = parent.open_dir(name).and_then(|dir| image_length(&dir)).unwrap_or_default();
    Damaged { file: parent.path_of(name), flaw: Flaw::NotAnId, size }
}

// === impl Found ===

impl<R: Record> Found<R> {
    fn with(mut self, other: Self) -> Self {
        self.entries.extend(other.entries);
        self.strays.extend(other.strays);
        self.frozen.extend(other.frozen);
        self.paused.extend(other.paused);
        self.ceased.extend(other.ceased);
        self.lost.extend(other.lost);
        self
    }

    /// Returns everything whose record cannot be read.
    pub(super) fn damaged(&self, parent: &Path) -> impl Iterator<Item = Damaged> {
        damaged(&self.entries, parent).chain(self.strays.iter().cloned())
    }

    /// Returns what all of it counts for.
    pub(super) fn counted(&self) -> Bytes {
        let entries = self.entries.values().map(|entry| entry.counted);
        let strays = self.strays.iter().map(|stray| stray.size);
        entries.chain(strays).fold(Bytes::ZERO, Bytes::plus)
    }
}

impl<R: Record> Default for Found<R> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            strays: Vec::new(),
            frozen: Vec::new(),
            paused: Vec::new(),
            ceased: Vec::new(),
            lost: Vec::new(),
        }
    }
}
