//! Hears of changes at once, for as long as the pod's token lives and its service account may watch.
//!
//! A watch is a comfort: without it a change is found when kubelet publishes again. So whatever is wrong with it, it ends
//! quietly, and the next token gets the next try.

use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_util::stream::{SelectAll, once};
use futures_util::{FutureExt, Stream, StreamExt};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::api::{Event, Trouble};
use super::attributes::Asked;
use super::known::{Seen, Volume};
use super::read::{Reader, wanted};
use super::token::Token;
use super::{Change, Shared};
use crate::ephemeral::{InlineId, Pod};
use crate::sys::mount::DetachedMount;

/// The longest watch: so that one does not outlive the right to it by much.
const LONGEST: Duration = Duration::from_mins(5);

/// What is left of a token's life when it is not used any more.
const MARGIN: Duration = Duration::from_secs(5);

/// How long changes are gathered: an object that changes all the time does not keep the node busy.
const GATHERING: Duration = Duration::from_millis(200);

/// How long it may take until everything that is there was told once.
const INTRODUCTION: Duration = Duration::from_secs(3);

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(30);

/// The watch of a volume, if there is one.
#[derive(Debug, Default)]
pub(super) struct Watches(Mutex<Option<Running>>);

#[derive(Debug)]
struct Running {
    task: AbortHandle,
    token: [u8; 32],
    is_heard: Arc<AtomicBool>,
}

/// What a watch works with. It keeps nothing alive that is forgotten.
pub(super) struct Job {
    pub(super) shared: Weak<Shared>,
    pub(super) volume: Weak<Volume>,
    pub(super) id: InlineId,
    pub(super) pod: Pod,
    pub(super) asked: Asked,
    pub(super) group: Option<u32>,
    pub(super) token: Token,
    pub(super) twin: DetachedMount,
}

/// Why a watch ended.
enum End {
    /// It may begin again.
    Cut,
    /// There is no use in another one with this token.
    ForGood,
}

// === impl Watches ===

impl Watches {
    /// Says whether every change is heard of.
    pub(super) fn are_heard(&self) -> bool {
        let running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        running.as_ref().is_some_and(|running| running.is_heard.load(Ordering::Acquire))
    }

    /// Says whether this token has not been tried yet.
    pub(super) fn want(&self, token: &Token) -> bool {
        let running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        running.as_ref().is_none_or(|running| running.token != token.digest())
    }

    /// Begins, and ends the one before.
    pub(super) fn start(&self, job: Job) {
        let is_heard = Arc::new(AtomicBool::new(false));
        let token = job.token.digest();
        let task = tokio::spawn(run(job, Arc::clone(&is_heard))).abort_handle();
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = running.replace(Running { task, token, is_heard }) {
            before.task.abort();
        }
    }

    /// Ends it.
    pub(super) fn stop(&self) {
        let running = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(running) = running {
            running.task.abort();
        }
    }
}

impl Drop for Watches {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn run(job: Job, is_heard: Arc<AtomicBool>) {
    let mut pause = FIRST_PAUSE;
    while let Some(length) = job.token.left().checked_sub(MARGIN) {
        let began = Instant::now();
        let end = watch(&job, length.min(LONGEST), &is_heard).await;
        is_heard.store(false, Ordering::Release);
        if matches!(end, End::ForGood) {
            return;
        }
        if began.elapsed() > LAST_PAUSE {
            pause = FIRST_PAUSE;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

/// Watches once, to the end of it.
async fn watch(job: &Job, length: Duration, is_heard: &AtomicBool) -> End {
    let mut events = match job.open(length).await {
        Ok(Some(events)) => events,
        Ok(None) | Err(Trouble::Later { .. }) => return End::Cut,
        // The right to get an object is enough for its volume. To watch it is another one, which the pod has not.
        Err(Trouble::Forbidden | Trouble::NotFound | Trouble::Unauthenticated) => {
            return End::ForGood;
        }
    };
    is_heard.store(true, Ordering::Release);
    let mut silent = job.objects_shown().await;
    loop {
        let patience = if silent.is_empty() { Duration::MAX } else { INTRODUCTION };
        let ended = match tokio::time::timeout(patience, events.next()).await {
            // What is there is told at the beginning, so an object is gone.
            Err(_) => {
                silent.clear();
                false
            }
            Ok(Some((index, Some(event)))) => {
                silent.remove(&index);
                if job.knows(index, &event).await {
                    continue;
                }
                tokio::time::sleep(GATHERING).await;
                event == Event::Expired || has_ended(&mut events)
            }
            Ok(Some((_, None)) | None) => return End::Cut,
        };
        if !job.refresh().await {
            return End::ForGood;
        }
        if ended {
            return End::Cut;
        }
    }
}

/// Takes what has been told meanwhile: all of it is shown at once.
fn has_ended(events: &mut Events) -> bool {
    let mut ended = false;
    while let Some(Some((_, event))) = events.next().now_or_never() {
        ended |= event.is_none();
    }
    ended
}

/// What is heard of each object, and nothing when it is not heard of any more.
type Events = SelectAll<std::pin::Pin<Box<dyn Stream<Item = (usize, Option<Event>)> + Send>>>;

// === impl Job ===

impl Job {
    /// Begins to watch all objects of the volume.
    async fn open(&self, length: Duration) -> Result<Option<Events>, Trouble> {
        let (Some(shared), Some(volume)) = (self.shared.upgrade(), self.volume.upgrade()) else {
            return Err(Trouble::NotFound);
        };
        let Some(api) = &shared.settings.api else { return Err(Trouble::NotFound) };
        drop(volume);
        let mut events = Events::new();
        for (index, source) in self.asked.sources.iter().enumerate() {
            let Some(wanted) = wanted(&self.pod, source) else { continue };
            let Ok(wanted) = wanted else { return Err(Trouble::NotFound) };
            let stream = api.watch(&wanted, &self.token, length).await?;
            let ended = once(std::future::ready((index, None)));
            events.push(stream.map(move |event| (index, Some(event))).chain(ended).boxed());
        }
        Ok(Some(events))
    }

    /// Returns which sources are objects that are shown.
    async fn objects_shown(&self) -> BTreeSet<usize> {
        let Some(volume) = self.volume.upgrade() else { return BTreeSet::new() };
        let shown = volume.shown.lock().await;
        let parts = shown.parts.iter().enumerate();
        let objects = parts.filter(|(_, part)| matches!(part.seen, Seen::Object { .. }));
        objects.map(|(index, _)| index).collect()
    }

    /// Says whether the event tells what is shown already.
    async fn knows(&self, index: usize, event: &Event) -> bool {
        let Some(volume) = self.volume.upgrade() else { return true };
        let shown = volume.shown.lock().await;
        let seen = shown.parts.get(index).map(|part| &part.seen);
        match (event, seen) {
            (Event::Is(now), Some(Seen::Object { version, .. })) => now == version,
            (Event::Gone, Some(Seen::Absent)) => true,
            (Event::Is(_) | Event::Gone | Event::Expired, _) => false,
        }
    }

    /// Looks at the objects now. Returns whether the volume is there still.
    async fn refresh(&self) -> bool {
        let (Some(shared), Some(volume)) = (self.shared.upgrade(), self.volume.upgrade()) else {
            return false;
        };
        let mut shown = volume.shown.lock().await;
        let reader = Reader {
            api: shared.settings.api.as_ref(),
            token: Some(&self.token),
            pod: &self.pod,
            node: &shared.settings.node,
            asked: &self.asked,
        };
        let locals = self.asked.sources.iter().map(|_| None).collect();
        let change = Change {
            id: &self.id,
            volume: &volume,
            shown: &mut shown,
            reader: &reader,
            group: self.group,
            is_due: true,
        };
        let changed = shared.change(change, locals, self.twin.as_fd()).await;
        if let Err(error) = changed {
            tracing::debug!(volume = %self.id, why = error.sentence(), "a change was heard of, and not shown");
        }
        true
    }
}
