//! A file with a block of its own, which a record is written to where there is no block left.
//!
//! A record is changed by a new file under its name. Where no file can be made, the spare is written, which has
//! its block already, and changes places with the record in one step: then the old record is the spare. Unlike
//! the ballast it cannot be taken by a writer that is quicker, and it is never used up.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};

use super::layout;
use crate::fault;
use crate::sys::Result;
use crate::sys::beneath::{Dir, How};
use crate::sys::failure::Doing;

/// The blocks of file systems are of this size, and no record comes near it.
const SIZE: usize = 4096;

/// The spare of a pool.
#[derive(Debug)]
pub(super) struct Spare {
    root: Dir,
    /// Whoever writes to the spare must be the one that gives it away.
    turn: Mutex<()>,
}

// === impl Spare ===

impl Spare {
    /// Returns the spare of the pool in this directory, whether it is there or not.
    pub(super) fn of(root: &Dir) -> Result<Self> {
        Ok(Self { root: root.duplicate()?, turn: Mutex::new(()) })
    }

    /// Makes the spare, if there is none and there is space for it.
    pub(super) fn make(&self) -> Result<()> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let how = if self.root.exists(layout::SPARE)? { How::ReadWrite } else { How::CreateNew };
        let made = self.root.open_file(layout::SPARE, how).and_then(|file| self.give_block(&file));
        match made {
            Err(failure) if failure.is_no_space() => Ok(()),
            made => made,
        }
    }

    /// Makes `bytes` the content of the file `name`, which exists, and waits until that is on the disk.
    pub(super) fn replace(&self, dir: &Dir, name: &str, bytes: &[u8]) -> Result<()> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let doing = || format!("write {}", self.root.path_of(layout::SPARE).display());
        let file = self.root.open_file(layout::SPARE, How::ReadWrite)?;
        file.write_all_at(bytes, 0).doing(doing)?;
        file.set_len(bytes.len() as u64).doing(doing)?;
        file.sync_all().doing(doing)?;
        fault::point("replace: spare written");
        self.root.rename_exchange(layout::SPARE, dir, name)?;
        dir.sync()
    }

    /// Writes to a file that has nothing yet: one that a driver was killed over, too.
    fn give_block(&self, file: &File) -> Result<()> {
        let doing = || format!("write {}", self.root.path_of(layout::SPARE).display());
        if file.metadata().doing(doing)?.len() > 0 {
            return Ok(());
        }
        file.write_all_at(&[b' '; SIZE], 0).doing(doing)?;
        file.sync_all().doing(doing)
    }
}
