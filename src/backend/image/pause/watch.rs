//! Watches a pool's free space, and says when its volumes have to wait and when they may go on.
//!
//! How soon it looks again depends on how far it is to the reserve: as soon as the fastest disk could get there. So a
//! pool with room is looked at once a second, and one near the reserve every few milliseconds. And it stops the
//! writers the earlier the faster they are, for to stop them takes a moment, too.

use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::Pausing;
use super::dirty::Dirty;
use crate::backend::image::error::Result;
use crate::backend::image::ledger::Space;
use crate::backend::image::settings::Settings;
use crate::sys::{Doing, priority};
use crate::volume::Bytes;

/// No disk takes more in a second.
const FASTEST: Bytes = Bytes::gib(4);

/// How long it can take until the writers wait, on a busy machine.
const REACTION: Duration = Duration::from_millis(200);

const SOONEST: Duration = Duration::from_millis(5);
const LATEST: Duration = Duration::from_secs(1);

/// How often a paused pool is looked at: room is made by people.
const WHILE_FULL: Duration = Duration::from_millis(250);

/// How often volumes are told again to go on.
const AGAIN: Duration = Duration::from_secs(5);

/// What was seen when the pool was looked at last.
#[derive(Debug, Default)]
struct Sight {
    dirty: Dirty,
    /// What was left then, and when that was.
    left: Option<(Instant, Bytes)>,
    /// When paused volumes were told again to go on.
    resumed: Option<Instant>,
}

/// Looks after the pool until it is closed, on a thread of its own: on a busy machine those that everybody shares
/// would come to it late.
pub(super) fn start(pausing: Weak<Pausing>) -> Result<()> {
    let thread = thread::Builder::new().name("watching".to_owned());
    thread.spawn(move || watch(&pausing)).doing(|| "start a thread")?;
    Ok(())
}

fn watch(pausing: &Weak<Pausing>) {
    // Those that freeze are started here, and are in as much of a hurry.
    if let Err(failure) = priority::hurry() {
        tracing::debug!(cause = %failure.source, "{failure}");
    }
    let mut sight = Sight::default();
    while let Some(pausing) = pausing.upgrade() {
        let next = pausing.look(&mut sight).unwrap_or_else(|error| {
            let why = crate::error::Error::from(error).sentence();
            tracing::warn!(why, "the pool's room cannot be watched");
            LATEST
        });
        drop(pausing);
        thread::sleep(next);
    }
}

/// Whether paused volumes may go on: a little above the reserve, so that they do not stop again at once.
pub(super) fn has_room(settings: &Settings, space: Space) -> bool {
    let reserve = settings.thin_reserve(space.total);
    space.free >= reserve.plus(Bytes(reserve.0 / 8))
}

// === impl Sight ===

impl Sight {
    /// What could not be thawed, because a copy of it was being taken, is tried again now and then.
    fn is_time_to_resume(&mut self) -> bool {
        let is_time = self.resumed.is_none_or(|before| before.elapsed() > AGAIN);
        if is_time {
            self.resumed = Some(Instant::now());
        }
        is_time
    }

    /// Returns how much less will be left by the time the writers wait, if it goes on as since the last look.
    fn ahead(&mut self, now: Instant, left: Bytes) -> Bytes {
        let Some((then, before)) = self.left.replace((now, left)) else { return Bytes::ZERO };
        let elapsed = now.duration_since(then).as_micros().max(1);
        let ahead = u128::from(before.less(left).0) * REACTION.as_micros() / elapsed;
        Bytes(u64::try_from(ahead).unwrap_or(u64::MAX))
    }
}

fn interval(distance: Bytes) -> Duration {
    let nanos = u128::from(distance.0) * 1_000_000_000 / u128::from(FASTEST.0);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)).clamp(SOONEST, LATEST)
}

impl Pausing {
    /// Looks once, does what has to be done, and returns when to look again.
    fn look(self: &Arc<Self>, sight: &mut Sight) -> Result<Duration> {
        let space = self.located.space()?;
        let (full, paused) = {
            let state = self.lock();
            (state.full, state.paused.len())
        };
        if full {
            return self.look_while_full(space, sight);
        }
        let reserve = self.settings.thin_reserve(space.total);
        let left = space.free.less(sight.dirty.ask()?);
        let mark = reserve.plus(sight.ahead(Instant::now(), left).min(reserve));
        if left >= mark {
            if paused > 0 && sight.is_time_to_resume() {
                self.resume_all();
            }
            return Ok(interval(left.less(mark)));
        }
        self.stop(sight, reserve, left)
    }

    /// Stops the writers, and lets them go on at once when it shows that there is room: what was dirty was others',
    /// or has found its place.
    fn stop(self: &Arc<Self>, sight: &mut Sight, reserve: Bytes, left: Bytes) -> Result<Duration> {
        let begin = Instant::now();
        let stopped = self.stop_all(self.mounted()?);
        let (volumes, took) = (stopped.len(), begin.elapsed());
        let space = self.after_a_stop(sight, self.located.space()?)?;
        if has_room(&self.settings, space) {
            thread::scope(|scope| {
                for one in stopped {
                    scope.spawn(|| drop(one));
                }
            });
            return Ok(SOONEST);
        }
        self.lock().full = true;
        drop(stopped);
        tracing::warn!(
            pool = self.settings.name, %left, free = %space.free, %reserve, volumes, ?took,
            "the thin pool is full: its mounted volumes are paused until there is room"
        );
        Ok(WHILE_FULL)
    }

    fn look_while_full(self: &Arc<Self>, space: Space, sight: &mut Sight) -> Result<Duration> {
        let space = self.after_a_stop(sight, space)?;
        if !has_room(&self.settings, space) {
            // What was kept from it, or was mounted at that moment.
            drop(self.stop_all(self.mounted()?));
            return Ok(WHILE_FULL);
        }
        self.lock().full = false;
        self.resume_all();
        tracing::info!(pool = self.settings.name, free = %space.free, "the thin pool has room again: its volumes go on");
        Ok(SOONEST)
    }

    /// Returns the space that is left when all volumes are frozen. What one that is not frozen yet still has to write
    /// is taken from it, and nobody knows how much of what is dirty that is.
    fn after_a_stop(&self, sight: &mut Sight, space: Space) -> Result<Space> {
        sight.left = None;
        if self.lock().stopping > 0 {
            return Ok(Space { free: space.free.less(sight.dirty.ask()?), ..space });
        }
        sight.dirty.none_is_ours()?;
        Ok(space)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fast_writers_are_stopped_earlier() {
        let (mut sight, begin) = (Sight::default(), Instant::now());
        assert_eq!(sight.ahead(begin, Bytes::gib(3)), Bytes::ZERO);
        // One GiB in a second.
        assert_eq!(sight.ahead(begin + LATEST, Bytes::gib(2)), Bytes(Bytes::gib(1).0 / 5));
        // Nothing was written, or something was removed.
        assert_eq!(sight.ahead(begin + LATEST * 2, Bytes::gib(2)), Bytes::ZERO);
        assert_eq!(sight.ahead(begin + LATEST * 3, Bytes::gib(4)), Bytes::ZERO);
    }

    #[test]
    fn nobody_gets_to_the_reserve_between_two_looks() {
        assert_eq!(interval(Bytes::ZERO), SOONEST);
        assert_eq!(interval(Bytes::mib(400)), Duration::from_nanos(97_656_250));
        assert_eq!(interval(Bytes::gib(4000)), LATEST);
        assert_eq!(interval(Bytes(u64::MAX)), LATEST);
    }
}
