//! Removes what is not real any more, in the background and one thing after the other.
//!
//! What is being removed stays counted until its blocks are free. A program that a killed driver left behind
//! may still be working on one: then it is locked, and is tried again later.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};

use super::layout;
use super::ledger::Reservation;
use super::store::{Store, open_image, read_image};
use crate::fault;
use crate::sys::beneath::{Dir, DirLock};
use crate::sys::failure::Doing;
use crate::sys::{Result, blocking, seal};

/// How long until something that was locked is tried again.
const AGAIN: Duration = Duration::from_secs(10);

/// How long a call that needs room waits for what is being removed.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Something to remove.
#[derive(Debug)]
pub(super) struct Rubbish {
    /// Where it is.
    pub(super) place: Place,
    /// Its name there.
    pub(super) name: OsString,
    /// Its lock, if we have it already.
    pub(super) lock: Option<DirLock>,
    /// The room that it takes.
    pub(super) room: Reservation,
}

/// A directory of the pool in which nothing is real.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    New,
    Trash,
}

/// The way to the task that removes.
#[derive(Debug)]
pub(super) struct Cleaner {
    queue: mpsc::UnboundedSender<Rubbish>,
    left: Arc<watch::Sender<usize>>,
}

// === impl Cleaner ===

impl Cleaner {
    /// Starts the task. It ends when the cleaner is dropped, after what was given to it until then.
    pub(super) fn start(store: Arc<Store>) -> Self {
        let (queue, waiting) = mpsc::unbounded_channel();
        let left = Arc::new(watch::Sender::new(0));
        tokio::spawn(run(store, waiting, Arc::clone(&left)));
        Self { queue, left }
    }

    /// Has something removed.
    pub(super) fn remove(&self, rubbish: Rubbish) {
        self.left.send_modify(|left| *left += 1);
        if let Err(unsent) = self.queue.send(rubbish) {
            // The runtime is going down; the next start finds it where it is.
            unsent.0.room.commit();
            self.left.send_modify(|left| *left -= 1);
        }
    }

    /// Says whether there is something left to remove that nobody works on.
    pub(super) fn is_busy(&self) -> bool {
        *self.left.borrow() > 0
    }

    /// Waits until everything given so far is removed, except what others still work on.
    pub(super) async fn idle(&self) {
        let mut left = self.left.subscribe();
        // The sender lives in here, so that waiting for it cannot fail.
        let done = left.wait_for(|left| *left == 0).await;
        drop(done);
    }
}

async fn run(
    store: Arc<Store>,
    mut waiting: mpsc::UnboundedReceiver<Rubbish>,
    left: Arc<watch::Sender<usize>>,
) {
    let mut locked = VecDeque::new();
    let mut again = Instant::now() + AGAIN;
    loop {
        // What waits for room comes first, then what is there for bad times.
        if waiting.is_empty() && store.ballast.is_wanting() {
            prepare(&store).await;
        }
        match timeout_at(again, waiting.recv()).await {
            Ok(None) => return,
            Ok(Some(rubbish)) => {
                locked.extend(attempt(&store, rubbish).await);
                left.send_modify(|left| *left -= 1);
            }
            Err(_elapsed) => {}
        }
        // Also when there is always something new.
        if Instant::now() >= again {
            for rubbish in std::mem::take(&mut locked) {
                locked.extend(attempt(&store, rubbish).await);
            }
            again = Instant::now() + AGAIN;
        }
    }
}

/// Removes it, or returns it when somebody works on it.
async fn attempt(store: &Arc<Store>, mut rubbish: Rubbish) -> Option<Rubbish> {
    let store = Arc::clone(store);
    blocking(move || match remove(&store, &mut rubbish) {
        Ok(true) => None,
        Ok(false) => Some(rubbish),
        Err(failure) => {
            tracing::warn!(cause = %failure.source, "{failure}: it stays until the next start");
            rubbish.room.commit();
            None
        }
    })
    .await
}

/// Makes ready for bad times, which is no misfortune when it does not succeed: it is tried again.
async fn prepare(store: &Arc<Store>) {
    let store = Arc::clone(store);
    if let Err(failure) = blocking(move || store.prepare()).await {
        tracing::warn!(cause = %failure.source, "{failure}");
    }
}

/// Removes it, and returns whether it is gone: it stays when somebody works on it.
fn remove(store: &Store, rubbish: &mut Rubbish) -> Result<bool> {
    let parent = match rubbish.place {
        Place::New => store.new_dir(),
        Place::Trash => store.trash(),
    };
    if rubbish.lock.is_none() {
        // A name in `new` may have been given again: then what has it is locked.
        match parent.lock_of(&rubbish.name) {
            Ok(None) => return Ok(false),
            Ok(lock) => rubbish.lock = lock,
            Err(failure) if failure.is_not_found() => return Ok(true),
            // No directory, and so none of ours: a file or a link is removed as it is.
            Err(failure) if matches!(failure.errno(), Some(Errno::NOTDIR | Errno::LOOP)) => {}
            Err(failure) => return Err(failure),
        }
    }
    if rubbish.lock.is_some() {
        free_blocks(&parent.open_dir(&rubbish.name)?);
    }
    fault::point("remove: emptied");
    parent.remove_tree(&rubbish.name)?;
    Ok(true)
}

/// Frees the image's blocks before its name goes: of a file without a name XFS frees them at some time later.
pub(super) fn free_blocks(dir: &Dir) {
    let doing = || format!("empty {}", dir.path_of(layout::IMAGE).display());
    let opened = match open_image(dir) {
        // A snapshot's image is immutable until here.
        Err(failure) if failure.errno() == Some(Errno::PERM) => {
            read_image(dir).and_then(|image| seal::lift(&image)).and_then(|_| open_image(dir))
        }
        opened => opened,
    };
    let emptied = opened.and_then(|image| image.set_len(0).doing(doing));
    if let Err(failure) = emptied {
        tracing::debug!(cause = %failure.source, "{failure}");
    }
}
