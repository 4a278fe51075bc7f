//! The volumes, or the snapshots, of a pool: what its records say, read once because a pool has one owner.
//!
//! An entry whose record cannot be read keeps its place here, so that its id is never given away and its size
//! stays counted; it is read again whenever somebody asks for it, because an admin may have put it right.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Bound;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::{Error, Result};
use super::ledger::Ledger;
use super::record::{Flaw, Record};
use super::scan::{self, Found};
use super::store::Store;
use crate::sys::beneath::Dir;
use crate::sys::blocking;
use crate::volume::Bytes;

/// Something whose record cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damaged {
    /// The file that is the matter.
    pub file: PathBuf,
    /// What is the matter with it.
    pub flaw: Flaw,
    /// What the image beside it takes, which stays counted.
    pub size: Bytes,
}

/// What is known of one id.
#[derive(Debug, Clone)]
pub(super) struct Entry<R> {
    /// Its record, if it can be read.
    pub(super) record: std::result::Result<R, Flaw>,
    /// What the ledger counts for it.
    pub(super) counted: Bytes,
}

/// All ids of one kind.
#[derive(Debug)]
pub(super) struct Shelf<R: Record> {
    store: Arc<Store>,
    ledger: Arc<Ledger>,
    entries: Mutex<BTreeMap<R::Id, Entry<R>>>,
    strays: Vec<Damaged>,
}

// === impl Damaged ===

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.file.display(), self.flaw)
    }
}

// === impl Shelf ===

impl<R: Record> Shelf<R> {
    /// Returns the shelf of this pool with what a scan found, which the ledger counts already.
    pub(super) fn new((store, ledger): (Arc<Store>, Arc<Ledger>), found: Found<R>) -> Self {
        let Found { entries, strays, .. } = found;
        Self { store, ledger, entries: Mutex::new(entries), strays }
    }

    /// Returns the record, or nothing when there is no such id.
    ///
    /// Only of damage the disk is asked again: everybody else is answered from memory.
    pub(super) async fn find(self: &Arc<Self>, id: &R::Id) -> Result<Option<R>> {
        match self.lock().get(id).map(|entry| entry.record.clone()) {
            None => return Ok(None),
            Some(Ok(record)) => return Ok(Some(record)),
            Some(Err(_)) => {}
        }
        let (this, id) = (Arc::clone(self), id.clone());
        blocking(move || this.find_again(&id)).await
    }

    /// Returns the record of something that must exist.
    pub(super) async fn get(self: &Arc<Self>, id: &R::Id) -> Result<R> {
        let missing = || Error::NoSuch { what: R::NOUN, id: id.to_string() };
        self.find(id).await?.ok_or_else(missing)
    }

    /// Returns at most `most` records behind `after`, sorted by id.
    pub(super) fn page(&self, after: Option<&R::Id>, most: usize) -> Vec<R> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let entries = self.lock();
        let behind = entries.range((from, Bound::Unbounded));
        behind.filter_map(|(_, entry)| entry.record.as_ref().ok().cloned()).take(most).collect()
    }

    /// Returns how many ids there are, their records readable or not.
    pub(super) fn count(&self) -> usize {
        self.lock().len().saturating_add(self.strays.len())
    }

    /// Says whether there is such an id, with a readable record or without.
    pub(super) fn has(&self, id: &R::Id) -> bool {
        self.lock().contains_key(id)
    }

    /// Returns every id.
    pub(super) fn ids(&self) -> BTreeSet<R::Id> {
        self.lock().keys().cloned().collect()
    }

    /// Returns every id behind `after`, sorted, with the record that is known of it.
    pub(super) fn all(&self, after: Option<&R::Id>) -> Vec<(R::Id, Option<R>)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let entries = self.lock();
        let behind = entries.range((from, Bound::Unbounded));
        behind.map(|(id, entry)| (id.clone(), entry.record.as_ref().ok().cloned())).collect()
    }

    /// Returns the id with the record that is known of it, if there is such an id.
    pub(super) fn one(&self, id: &R::Id) -> Option<(R::Id, Option<R>)> {
        let record = self.lock().get(id)?.record.as_ref().ok().cloned();
        Some((id.clone(), record))
    }

    /// Returns what the ledger counts for the id.
    pub(super) fn counted(&self, id: &R::Id) -> Bytes {
        self.lock().get(id).map_or(Bytes::ZERO, |entry| entry.counted)
    }

    /// Notes that the id is real, or has another record or size now.
    pub(super) fn put(&self, record: R, counted: Bytes) {
        self.lock().insert(record.id().clone(), Entry { record: Ok(record), counted });
    }

    /// Writes the record of something that is real. After an error the disk has the old one or the new one, and it is
    /// the disk's that is known from then on.
    pub(super) fn write(&self, dir: &Dir, record: &R) -> Result<()> {
        let written = self.store.write_record(dir, record);
        if written.is_err() {
            self.read_again(record.id());
        }
        written
    }

    /// Notes that the id is not real any more.
    pub(super) fn remove(&self, id: &R::Id) {
        self.lock().remove(id);
    }

    /// Returns everything whose record cannot be read.
    pub(super) fn damaged(&self) -> Vec<Damaged> {
        let parent = self.store.parent::<R::Id>().path();
        let entries = self.lock();
        scan::damaged(&entries, parent).chain(self.strays.iter().cloned()).collect()
    }

    fn read_again(&self, id: &R::Id) {
        let found = scan::entry::<R>(self.store.parent::<R::Id>(), id);
        let mut entries = self.lock();
        let Some(entry) = entries.get_mut(id) else { return };
        let counted = entry.counted;
        match found {
            Ok(Some(found)) => *entry = found,
            // Somebody else has to see that it is gone.
            Ok(None) => {}
            // It is read as soon as somebody asks for it.
            Err(failure) => entry.record = Err(Flaw::unreadable(&failure)),
        }
        self.ledger.correct(counted, entry.counted);
    }

    fn find_again(&self, id: &R::Id) -> Result<Option<R>> {
        let found = scan::entry::<R>(self.store.parent::<R::Id>(), id)?;
        let mut entries = self.lock();
        // While we read, somebody may have changed or removed it, and knows better than what we read.
        let counted = match entries.get(id) {
            None => return Ok(None),
            Some(Entry { record: Ok(record), .. }) => return Ok(Some(record.clone())),
            Some(Entry { record: Err(_), counted }) => *counted,
        };
        let Some(entry) = found else {
            entries.remove(id);
            self.ledger.correct(counted, Bytes::ZERO);
            return Ok(None);
        };
        self.ledger.correct(counted, entry.counted);
        let record = entry.record.clone();
        entries.insert(id.clone(), entry);
        drop(entries);
        record.map(Some).map_err(|flaw| Error::Damaged {
            what: R::NOUN,
            id: id.to_string(),
            file: self.record_path(id),
            flaw,
        })
    }

    fn record_path(&self, id: &R::Id) -> PathBuf {
        scan::record_path(self.store.parent::<R::Id>().path(), id)
    }

    /// The map is whole between any two of its operations, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<R::Id, Entry<R>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
