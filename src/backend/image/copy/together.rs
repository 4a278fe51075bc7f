//! Takes the copies of one image or of several at one instant.
//!
//! What nobody writes to is copied first, at leisure. Then all file systems are frozen, and while all of them are,
//! they and the raw devices are copied. A frozen file system does not change, so that whoever wrote to one volume
//! and then to another finds the first write in the copies wherever the second is.
//!
//! A raw device cannot be frozen. One of them may be written to at any time: the instant is when it is copied. Of
//! several, those that were copied first must be what they were when the last one is; otherwise they are copied again.

use std::slice;
use std::time::Instant;

use super::Error;
use super::cut::{Copy, Wish, Writers};
use super::frozen::{Frozen, Settled, lift, settle_volume};
use crate::fault;
use crate::sys::cgroup::Lifted;
use crate::sys::{self, every};

/// How often raw devices are copied until none is written to meanwhile. A round takes some milliseconds.
const ROUNDS: u32 = 20;

/// Takes the copy, and waits until it is on the disk. After an error there may be part of a target, which the
/// caller discards.
///
/// A file system is frozen for the moment. A raw block device cannot be: its copy is what a power cut would
/// leave. Blocks until done, which can be seconds.
pub fn cut(wish: &Wish<'_>) -> Result<(), Error> {
    cut_together(slice::from_ref(wish))
}

/// Takes the copies, and waits until they are on the disk. After an error nothing is frozen, and there may be
/// parts of targets, which the caller discards.
pub fn cut_together(wishes: &[Wish<'_>]) -> Result<(), Error> {
    if wishes.iter().any(|wish| wish.is_in_use() && !wish.reflink) {
        return Err(Error::Busy);
    }
    let copies = wishes.iter().map(Copy::open).collect::<Result<Vec<_>, _>>()?;
    let (in_use, at_rest): (Vec<_>, Vec<_>) = copies.iter().partition(|copy| copy.wish.is_in_use());
    all(at_rest, Copy::take_at_rest)?;
    if !in_use.is_empty() {
        take_in_use(in_use)?;
    }
    fault::point("cut: copied");
    // Not before: writers do not wait for our disk.
    all(copies.iter().collect(), Copy::sync)?;
    Ok(())
}

/// Does the work for each item at the same time. Of several errors the first is told.
fn all<I: Send, T: Send>(
    items: Vec<I>,
    work: impl Fn(I) -> Result<T, Error> + Sync,
) -> Result<Vec<T>, Error> {
    every(items, work).into_iter().collect()
}

fn take_in_use(copies: Vec<&Copy<'_>>) -> Result<(), Error> {
    let (settled, lifted): (Vec<_>, Vec<_>) = all(copies.clone(), settle)?.into_iter().unzip();
    let (mounted, raw): (Vec<_>, Vec<_>) =
        copies.into_iter().partition(|copy| copy.wish.can_be_frozen());
    // Whoever was settled first has written since, while it waited for the others.
    if settled.len() > 1 {
        all(settled.iter().flatten().collect(), Settled::sync)?;
    }
    let since = Instant::now();
    let frozen = all(settled.into_iter().flatten().collect(), Settled::freeze)?;
    let taken = take_now(mounted, raw, &frozen);
    let volumes = frozen.len();
    let thawed = all(frozen, Frozen::thaw);
    drop(lifted);
    tracing::debug!(volumes, frozen = ?since.elapsed(), "copied at one instant");
    // An error is the cause of all that follows.
    taken.and(thawed.map(drop))
}

/// What holds a volume from when it is settled: a mounted one, to be frozen; the limits of a raw one.
type Readied<'a> = (Option<Settled<'a>>, Option<Lifted>);

/// Writes out what there is to write while everything may still be used, so that the freeze is short.
fn settle<'a>(copy: &'a Copy<'_>) -> Result<Readied<'a>, Error> {
    let Wish { volume, writers, freeze_limit, .. } = *copy.wish;
    match writers {
        Writers::Nobody => Ok((None, None)),
        Writers::OfFiles { mount, limited } => {
            Ok((Some(settle_volume(volume, mount, *limited, freeze_limit)?), None))
        }
        Writers::OfDevice { path, limited } => {
            // While others are frozen, what a limit would hold up must not hold them up.
            let lifted = limited.and_then(lift);
            sys::block::sync(path)?;
            Ok((None, lifted))
        }
    }
}

/// Copies everything while it is frozen.
fn take_now(
    mounted: Vec<&Copy<'_>>,
    raw: Vec<&Copy<'_>>,
    frozen: &[Frozen<'_>],
) -> Result<(), Error> {
    let go_on = || frozen.iter().try_for_each(Frozen::within_limit);
    // The raw devices are one piece of work, because theirs is done in order.
    let mut work: Vec<Vec<&Copy<'_>>> = mounted.into_iter().map(|copy| vec![copy]).collect();
    work.extend(Some(raw).filter(|raw| !raw.is_empty()));
    all(work, |copies| match copies.as_slice() {
        [copy] if copy.wish.can_be_frozen() => copy.take_frozen(go_on),
        raw => take_raw(raw, go_on),
    })?;
    Ok(())
}

/// Copies raw devices at one instant, which is when the last one is copied.
fn take_raw(copies: &[&Copy<'_>], go_on: impl Fn() -> Result<(), Error>) -> Result<(), Error> {
    // What was written to them before a file system was frozen belongs to the copies, be it only in a cache.
    for copy in copies {
        if let Writers::OfDevice { path, .. } = copy.wish.writers {
            sys::block::sync(path)?;
        }
    }
    let Some((_, earlier)) = copies.split_last() else { return Ok(()) };
    let mut changed = None;
    for _ in 0..ROUNDS {
        go_on()?;
        copies.iter().try_for_each(|copy| copy.take_whole())?;
        changed = first_changed(earlier)?;
        if changed.is_none() {
            break;
        }
    }
    match changed {
        Some(copy) => Err(Error::Unsteady { volume: copy.wish.volume.path().to_owned() }),
        None => Ok(()),
    }
}

fn first_changed<'a, 'b>(copies: &[&'a Copy<'b>]) -> Result<Option<&'a Copy<'b>>, Error> {
    for copy in copies {
        if !copy.is_true_still()? {
            return Ok(Some(copy));
        }
    }
    Ok(None)
}
