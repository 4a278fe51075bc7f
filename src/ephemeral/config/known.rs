//! What is known of the volumes that are published: which state of which object each shows, and since when it may be
//! stale. Nothing of it is on a disk: after a restart everything is read once more, and what is the same stays.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as Plain, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::attributes::FileMode;
use super::object::Version;
use super::path::ContentPath;
use super::read::Locals;
use super::watch::Watches;
use crate::ephemeral::InlineId;

/// How much less often an object is looked at that never changes: it may be deleted, and made anew.
const OF_IMMUTABLE: u32 = 10;

/// The longest that is waited after failures.
const LONGEST: Duration = Duration::from_mins(5);

/// All volumes.
#[derive(Debug, Default)]
pub(super) struct Volumes(Plain<HashMap<InlineId, Arc<Volume>>>);

/// One of them.
#[derive(Debug, Default)]
pub(super) struct Volume {
    /// Whoever changes the content has this.
    pub(super) shown: Mutex<Shown>,
    stale: Plain<Option<Stale>>,
    /// What hears of changes at once.
    pub(super) watches: Watches,
}

/// What a volume shows.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// For each source; nothing before anything was read.
    pub(super) parts: Vec<Part>,
    /// When the objects are looked at next; nothing for at once.
    next: Option<Instant>,
    /// The token that was refused last, which is not tried again.
    pub(super) refused: Option<[u8; 32]>,
    failures: u32,
}

/// What a source shows.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// What it was made of.
    pub(super) seen: Seen,
    /// Its files.
    pub(super) layout: Vec<(ContentPath, FileMode)>,
}

/// What the files of a source were made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// There is no such object, or it may not be read any more.
    Absent,
    /// An object in this state.
    Object {
        /// The state.
        version: Version,
        /// Whether its content never changes.
        immutable: bool,
    },
    /// What came with the request, by its digest.
    Local([u8; 32]),
}

/// That the content may be old.
#[derive(Debug, Clone)]
pub(super) struct Stale {
    /// Since when.
    pub(super) since: Instant,
    /// Why, as a sentence.
    pub(super) why: String,
}

// === impl Volumes ===

impl Volumes {
    /// Returns what is known of the volume, which may be nothing yet.
    pub(super) fn get_or_begin(&self, id: &InlineId) -> Arc<Volume> {
        Arc::clone(self.all().entry(id.clone()).or_default())
    }

    /// Returns the volume if anything is known of it.
    pub(super) fn get(&self, id: &InlineId) -> Option<Arc<Volume>> {
        self.all().get(id).cloned()
    }

    /// Forgets the volume; nobody hears of its changes any more.
    pub(super) fn forget(&self, id: &InlineId) {
        if let Some(volume) = self.all().remove(id) {
            volume.watches.stop();
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<InlineId, Arc<Volume>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Volume ===

impl Volume {
    /// Returns whether and why its content may be old.
    pub(super) fn stale(&self) -> Option<Stale> {
        self.stale.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes that its content may be old from now on.
    pub(super) fn is_stale(&self, why: String) {
        let mut stale = self.stale.lock().unwrap_or_else(PoisonError::into_inner);
        let since = stale.as_ref().map_or_else(Instant::now, |stale| stale.since);
        *stale = Some(Stale { since, why });
    }

    /// Notes that its content is what it should be.
    pub(super) fn is_fresh(&self) {
        *self.stale.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

// === impl Shown ===

impl Shown {
    /// Says whether it is time to look at the objects.
    pub(super) fn is_due(&self) -> bool {
        self.next.is_none_or(|next| next <= Instant::now())
    }

    /// Says whether what came with the request is shown already.
    pub(super) fn has_locals(&self, locals: &Locals) -> bool {
        let parts = self.parts.iter().map(Some).chain(std::iter::repeat(None));
        locals.iter().zip(parts).all(|(local, part)| match local {
            Some((seen, _)) => part.is_some_and(|part| part.seen == *seen),
            None => part.is_some(),
        })
    }

    /// Lets the objects be looked at now.
    pub(super) fn hasten(&mut self) {
        self.next = None;
    }

    /// Notes that all is well.
    pub(super) fn looked(&mut self, interval: Duration) {
        let times = if self.is_immutable() { OF_IMMUTABLE } else { 1 };
        self.failures = 0;
        self.refused = None;
        self.next = Some(Instant::now() + interval * times);
    }

    /// Notes a failure: the next look is later each time, and not before the server wants it.
    pub(super) fn failed(&mut self, interval: Duration, after: Option<Duration>) {
        let times = 2_u32.saturating_pow(self.failures);
        let pause = interval.saturating_mul(times).min(LONGEST.max(interval));
        self.failures = self.failures.saturating_add(1);
        self.next = Some(Instant::now() + pause.max(after.unwrap_or_default()));
    }

    fn is_immutable(&self) -> bool {
        let mut objects = self.parts.iter().filter(|part| !matches!(part.seen, Seen::Local(_)));
        objects.all(|part| matches!(part.seen, Seen::Object { immutable: true, .. }))
            && self.parts.iter().any(|part| matches!(part.seen, Seen::Object { .. }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn case_093_each_failure_makes_the_next_look_later_and_the_server_can_ask_for_more() {
        let mut shown = Shown::default();
        assert!(shown.is_due());
        for pause in [30, 60, 120, 240, 300, 300] {
            shown.failed(INTERVAL, None);
            tokio::time::advance(Duration::from_secs(pause - 1)).await;
            assert!(!shown.is_due(), "{pause}");
            tokio::time::advance(Duration::from_secs(1)).await;
            assert!(shown.is_due(), "{pause}");
        }
        shown.looked(INTERVAL);
        shown.failed(INTERVAL, Some(Duration::from_secs(100)));
        tokio::time::advance(Duration::from_secs(99)).await;
        assert!(!shown.is_due());
        shown.hasten();
        assert!(shown.is_due());
    }

    #[tokio::test(start_paused = true)]
    async fn case_097_what_never_changes_is_looked_at_less_often() {
        let object = |immutable| Part {
            seen: Seen::Object {
                version: Version { uid: "u".into(), resource_version: "1".into() },
                immutable,
            },
            layout: Vec::new(),
        };
        let local = Part { seen: Seen::Local([0; 32]), layout: Vec::new() };
        for (parts, seconds) in [
            (vec![object(true), local.clone()], 300),
            (vec![object(true), object(false)], 30),
            (vec![local], 30),
        ] {
            let mut shown = Shown { parts, ..Shown::default() };
            shown.looked(INTERVAL);
            tokio::time::advance(Duration::from_secs(seconds - 1)).await;
            assert!(!shown.is_due(), "{seconds}");
            tokio::time::advance(Duration::from_secs(1)).await;
            assert!(shown.is_due(), "{seconds}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_stale_is_stale_since_the_first_failure() {
        let volume = Volume::default();
        volume.is_stale("one".into());
        tokio::time::advance(Duration::from_mins(1)).await;
        volume.is_stale("two".into());
        let stale = volume.stale().unwrap();
        assert_eq!((stale.why.as_str(), stale.since.elapsed().as_secs()), ("two", 60));
        volume.is_fresh();
        assert!(volume.stale().is_none());
    }
}
