//! A file that is there only to be given up.
//!
//! On a full XFS a rename still works, but a small new file does not: then no record could be changed any more,
//! and nobody could delete their way out. So some space is really written, and cut off when a record needs it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{Mode, OFlags, ResolveFlags};

use super::layout;
use crate::sys::Result;
use crate::sys::beneath::Dir;
use crate::sys::failure::{Doing, Failure};
use crate::volume::Bytes;

/// How large it is.
pub(super) const SIZE: Bytes = Bytes::mib(64);

/// How much is written at once.
const PIECE: usize = 1 << 20;

/// The ballast of a pool.
#[derive(Debug)]
pub(super) struct Ballast {
    root: std::os::fd::OwnedFd,
    path: PathBuf,
    wanting: AtomicBool,
    /// What is being filled must not be given up at the same instant: it would keep a hole.
    turn: Mutex<()>,
}

// === impl Ballast ===

impl Ballast {
    /// Returns the ballast of the pool in this directory, whether it is there or not.
    pub(super) fn of(root: &Dir) -> Result<Self> {
        use std::os::fd::AsFd;
        let path = root.path_of(layout::BALLAST);
        let root =
            root.as_fd().try_clone_to_owned().doing(|| format!("open {}", path.display()))?;
        Ok(Self { root, path, wanting: AtomicBool::new(true), turn: Mutex::new(()) })
    }

    /// Does what needs a little space; when there is none, does it again with the ballast's.
    pub(super) fn give_way<T>(&self, work: impl Fn() -> Result<T>) -> Result<T> {
        match work() {
            Err(failure) if failure.is_no_space() => {
                if self.give()? {
                    work()
                } else {
                    Err(failure)
                }
            }
            done => done,
        }
    }

    /// Says whether the ballast may not be whole: it was given up, or nobody has looked yet.
    pub(super) fn is_wanting(&self) -> bool {
        self.wanting.load(Ordering::Relaxed)
    }

    /// Fills the ballast, as far as there is space for it. What cannot be filled is left for another time.
    pub(super) fn fill(&self) -> Result<()> {
        match self.write() {
            Err(failure) if failure.is_no_space() => Ok(()),
            written => written,
        }
    }

    /// Gives the ballast up, and returns whether there was any.
    fn give(&self) -> Result<bool> {
        let doing = || format!("give up {}", self.path.display());
        let _turn = self.turn();
        self.wanting.store(true, Ordering::Relaxed);
        let file = match self.open(OFlags::empty()) {
            Err(failure) if failure.is_not_found() => return Ok(false),
            opened => opened?,
        };
        if file.metadata().doing(doing)?.len() == 0 {
            return Ok(false);
        }
        tracing::warn!(ballast = %self.path.display(), "no space left: giving up the ballast");
        file.set_len(0).doing(doing)?;
        // Until then its blocks may not be given to anybody.
        file.sync_all().doing(doing)?;
        Ok(true)
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It may be given up between any two pieces, and then is not whole in the end.
    fn write(&self) -> Result<()> {
        let doing = || format!("fill {}", self.path.display());
        let file = self.open(OFlags::CREATE)?;
        // No zeros: a file system that compresses would keep none of them.
        let piece: Vec<u8> = (0_u32..).map(scrambled).take(PIECE).collect();
        let length = || Ok::<_, Failure>(file.metadata().doing(doing)?.len());
        loop {
            let _turn = self.turn();
            let at = length()?;
            if at >= SIZE.0 {
                break;
            }
            file.write_all_at(&piece, at).doing(doing)?;
        }
        file.sync_all().doing(doing)?;
        let _turn = self.turn();
        self.wanting.store(length()? < SIZE.0, Ordering::Relaxed);
        Ok(())
    }

    fn open(&self, how: OFlags) -> Result<File> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC | how;
        let mode =
            if how.contains(OFlags::CREATE) { Mode::RUSR | Mode::WUSR } else { Mode::empty() };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        rustix::fs::openat2(&self.root, layout::BALLAST, flags, mode, resolve)
            .map(File::from)
            .map_err(|errno| Failure::new(format!("open {}", self.path.display()), errno))
    }
}

/// Returns a byte that looks like any other.
fn scrambled(number: u32) -> u8 {
    let [byte, ..] =
        number.wrapping_mul(2_654_435_761).rotate_left(13).wrapping_mul(97).to_be_bytes();
    byte
}
