//! A volume's file system, held still: marked on the disk, frozen, and both undone on every way out.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::Error;
use super::marker::Marker;
use crate::fault;
use crate::sys::beneath::Dir;
use crate::sys::cgroup::{self, Lifted};
use crate::sys::mountinfo::Mount;
use crate::sys::{self, DeviceNumber, Failure, freeze};

/// A sync that takes less than this leaves nothing that the freeze would have to wait for.
const QUIET: Duration = Duration::from_millis(100);
/// How long a volume may be frozen by somebody else before that is told, and how often it is looked at.
const PASSING: Duration = Duration::from_secs(1);
const BETWEEN_TRIES: Duration = Duration::from_millis(5);
/// A busy writer must not make copies impossible: after so many syncs it has to wait.
const SYNCS: u32 = 5;

/// A volume that is marked as frozen, and of which little is left to write: it is about to be.
#[derive(Debug)]
#[must_use = "the mark goes when this is dropped"]
pub(super) struct Settled<'a> {
    mount: &'a Mount,
    limit: Duration,
    held: Option<(Option<Lifted>, Marker<'a>)>,
}

/// A frozen file system with the marker that says so.
#[derive(Debug)]
#[must_use = "the file system is thawed at once when this is dropped"]
pub(super) struct Frozen<'a> {
    at: &'a Path,
    since: Instant,
    limit: Duration,
    held: Option<(freeze::Frozen, Option<Lifted>, Marker<'a>)>,
}

/// Prepares the volume in the directory `volume`, which is mounted there, for being frozen for at most `limit`.
/// If it is limited as this device, its limits are lifted from here on.
pub(super) fn settle_volume<'a>(
    volume: &'a Dir,
    mount: &'a Mount,
    limited: Option<DeviceNumber>,
    limit: Duration,
) -> Result<Settled<'a>, Error> {
    let marker = Marker::put(volume)?;
    let settled = Settled { mount, limit, held: Some((limited.and_then(lift), marker)) };
    settle(mount)?;
    Ok(settled)
}

/// Lifts the device's limits: what is in flight has to be written before anything is still, and one large write
/// under a small limit would take longer than writers may be held up. It is no error if that fails; the copy may be.
pub fn lift(device: DeviceNumber) -> Option<Lifted> {
    let lifted = cgroup::lift(device);
    lifted.inspect_err(|failure| tracing::warn!(cause = %failure.source, "{failure}")).ok()
}

/// Writes out what there is to write while the volume may still be used, so that the freeze is short.
fn settle(mount: &Mount) -> Result<(), Error> {
    for _ in 0..SYNCS {
        let begin = Instant::now();
        freeze::syncfs(mount).map_err(Error::of_mount(&mount.at))?;
        if begin.elapsed() < QUIET {
            break;
        }
    }
    Ok(())
}

/// Freezes the volume, though it may be frozen for a moment: a pool that runs full stops all of its volumes before it
/// looks again whether it has to, and lets them go on at once where it has not.
fn patiently(mount: &Mount) -> sys::Result<freeze::Frozen> {
    let begin = Instant::now();
    loop {
        match freeze::freeze(mount) {
            Err(failure) if failure.errno() == Some(Errno::BUSY) && begin.elapsed() < PASSING => {
                thread::sleep(BETWEEN_TRIES);
            }
            answer => return answer,
        }
    }
}

fn not_frozen(at: &Path, failure: Failure) -> Error {
    match failure.errno() {
        Some(Errno::BUSY) => Error::FrozenAlready { at: at.to_owned(), source: failure },
        _ => Error::of_mount(at)(failure),
    }
}

// === impl Settled ===

impl<'a> Settled<'a> {
    /// Writes out what was written since.
    pub(super) fn sync(&self) -> Result<(), Error> {
        freeze::syncfs(self.mount).map_err(Error::of_mount(&self.mount.at))
    }

    /// Freezes the volume.
    pub(super) fn freeze(mut self) -> Result<Frozen<'a>, Error> {
        let (mount, limit) = (self.mount, self.limit);
        // Writers are waiting already while the kernel waits for others.
        let since = Instant::now();
        if let Some((_, marker)) = &self.held {
            marker.begin();
        }
        let frozen = patiently(mount).map_err(|failure| not_frozen(&mount.at, failure))?;
        fault::point("cut: frozen");
        let held = self.held.take().map(|(lifted, marker)| (frozen, lifted, marker));
        Ok(Frozen { at: &mount.at, since, limit, held })
    }
}

impl Drop for Settled<'_> {
    /// What was not frozen by us must not be thawed by us at the next start.
    fn drop(&mut self) {
        let Some((_lifted, marker)) = self.held.take() else { return };
        if let Err(failure) = marker.remove() {
            tracing::error!(cause = %failure.source, "{failure}");
        }
    }
}

// === impl Frozen ===

impl Frozen<'_> {
    /// Fails when the writers have waited for too long.
    pub(super) fn within_limit(&self) -> Result<(), Error> {
        if self.since.elapsed() <= self.limit {
            return Ok(());
        }
        Err(Error::TooSlow { at: self.at.to_owned(), limit: self.limit })
    }

    /// Lets the writers go on. What was copied until now is of one moment.
    pub(super) fn thaw(mut self) -> Result<(), Error> {
        if self.release()? {
            return Ok(());
        }
        Err(Error::ThawedEarly { at: self.at.to_owned() })
    }

    /// Thaws, and forgets about it only then. Returns whether it was frozen until now.
    fn release(&mut self) -> sys::Result<bool> {
        let Some((frozen, lifted, marker)) = self.held.take() else { return Ok(false) };
        let was_frozen = frozen.thaw()?;
        tracing::debug!(at = %self.at.display(), held = ?self.since.elapsed(), "thawed");
        fault::point("cut: thawed");
        // The limits hold again; after a kill whoever enforces them sees to that.
        drop(lifted);
        marker.remove()?;
        Ok(was_frozen)
    }
}

impl Drop for Frozen<'_> {
    /// The way out of errors and panics.
    fn drop(&mut self) {
        if let Err(failure) = self.release() {
            tracing::error!(cause = %failure.source, "{failure}");
        }
    }
}
