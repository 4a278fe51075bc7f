//! A file that is there only to be given up.
//!
//! On a full XFS a rename still works, but a small new file does not: then no record could be changed any more,
//! and nobody could delete their way out. So some space is really written, and cut off when a record needs it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

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
}

// === impl Ballast ===

impl Ballast {
    /// Returns the ballast of the pool in this directory, whether it is there or not.
    pub(super) fn of(root: &Dir) -> Result<Self> {
        use std::os::fd::AsFd;
        let path = root.path_of(layout::BALLAST);
        let root =
            root.as_fd().try_clone_to_owned().doing(|| format!("open {}", path.display()))?;
        Ok(Self { root, path, wanting: AtomicBool::new(true) })
    }

    /// Does what needs a little space; when there is none, does it again with the ballast's.
    pub(super) fn give_way<T>(&self, work: impl Fn() -> Result<T>) -> Result<T> {
        match work() {
            Err(failure) if failure.is_no_space() => {
                self.give()?;
                work()
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
            Ok(()) => self.wanting.store(false, Ordering::Relaxed),
            Err(failure) if failure.is_no_space() => self.wanting.store(true, Ordering::Relaxed),
            Err(failure) => return Err(failure),
        }
        Ok(())
    }

    fn give(&self) -> Result<()> {
        let doing = || format!("give up {}", self.path.display());
        self.wanting.store(true, Ordering::Relaxed);
        tracing::warn!(ballast = %self.path.display(), "no space for a record: giving up the ballast");
        let file = self.open()?;
        file.set_len(0).doing(doing)?;
        // Until then its blocks may not be given to anybody.
        file.sync_all().doing(doing)
    }

    fn write(&self) -> Result<()> {
        let doing = || format!("fill {}", self.path.display());
        let file = self.open()?;
        let mut at = file.metadata().doing(doing)?.len();
        // No zeros: a file system that compresses would keep none of them.
        let piece: Vec<u8> = (0_u32..).map(scrambled).take(PIECE).collect();
        while at < SIZE.0 {
            file.write_all_at(&piece, at).doing(doing)?;
            at += piece.len() as u64;
        }
        file.sync_all().doing(doing)
    }

    fn open(&self) -> Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
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
