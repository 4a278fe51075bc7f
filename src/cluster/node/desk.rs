//! Where the wishes of one kind arrive: each is worked on by one task at a time, and by none when it is fulfilled.
//!
//! An object is kept whole only while it is worked on. Of all others is known what it takes to see an old event for what
//! it is, to find what has no object, and to tell how healthy they are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::ResourceExt;
use kube::runtime::watcher::Event;
use tokio::sync::Notify;

use super::Shared;
use super::fulfil::{Next, fulfil};
use super::kind::Kind;
use super::tell::what;
use super::watch::Told;
use crate::cluster::Refused;
use crate::cluster::delay::Delay;
use crate::cluster::objects::{Answer, Condition, Lean};
use crate::error::Error;

/// How long one waits for somebody else who is at work on the same.
const SOON: Delay = Delay::new(Duration::from_millis(20), Duration::from_secs(1));

/// How long one waits for the API server.
const UNHEARD: Delay = Delay::new(Duration::from_millis(500), Duration::from_secs(5));

/// How long one waits for anything else to be better.
const LATER: Delay = Delay::new(Duration::from_secs(1), Duration::from_mins(1));

/// The wishes of one kind.
#[derive(Debug)]
pub(super) struct Desk<K: Kind> {
    shared: Arc<Shared>,
    state: Mutex<State<K>>,
}

#[derive(Debug)]
struct State<K> {
    known: BTreeMap<String, Known>,
    shifts: BTreeMap<String, Arc<Shift<K>>>,
    /// The names of a list that is not complete yet.
    listed: Option<BTreeSet<String>>,
    /// Whether all objects are known.
    synced: bool,
}

/// What is known of an object.
#[derive(Debug)]
struct Known {
    uid: String,
    /// The newest version that was seen, or written.
    version: u64,
    /// What is told of it, once it was real.
    made: Option<Made>,
}

/// What is told of something that was real.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Made {
    /// The pool of this node that it is for.
    pub(super) pool: String,
    /// The UUID of the pool that it was in.
    pub(super) uuid: String,
    /// How healthy it is.
    pub(super) conditions: Vec<Condition>,
}

/// Somebody who works on an object.
#[derive(Debug)]
struct Shift<K> {
    newer: Mutex<Option<K>>,
    wake: Notify,
}

/// Where an object comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    /// A list: what was seen before counts no more.
    List,
    /// An event, which may be older than what this node has written since.
    Event,
}

// === impl Desk ===

impl<K: Kind> Desk<K> {
    /// Returns a desk at which nothing has arrived yet.
    pub(super) fn new(shared: &Arc<Shared>) -> Arc<Self> {
        let state =
            State { known: BTreeMap::new(), shifts: BTreeMap::new(), listed: None, synced: false };
        Arc::new(Self { shared: Arc::clone(shared), state: Mutex::new(state) })
    }

    /// Says whether all objects are known.
    pub(super) fn is_synced(&self) -> bool {
        self.lock().synced
    }

    /// Says whether there is such an object.
    pub(super) fn knows(&self, id: &K::Id) -> bool {
        self.lock().known.contains_key(&id.to_string())
    }

    /// Returns what was real of all that nobody works on, by name.
    pub(super) fn made(&self) -> Vec<(String, Made)> {
        let state = self.lock();
        let idle = state.known.iter().filter(|(name, _)| !state.shifts.contains_key(*name));
        idle.filter_map(|(name, known)| Some((name.clone(), known.made.clone()?))).collect()
    }

    /// Writes how healthy an object is, unless somebody works on it: that one is told later.
    pub(super) async fn tell_conditions(
        self: &Arc<Self>,
        name: &str,
        conditions: &[Condition],
    ) -> Result<(), Refused> {
        let uid = {
            let state = self.lock();
            let idle = state.known.get(name).filter(|_| !state.shifts.contains_key(name));
            idle.map(|known| known.uid.clone())
        };
        let Some(uid) = uid else { return Ok(()) };
        match self.shared.replace::<K>(name, &uid, "/status/conditions", &conditions).await {
            Ok(now) => {
                self.accept(now, From::Event);
                Ok(())
            }
            Err(Refused::Missing) => Ok(()),
            Err(other) => Err(other),
        }
    }

    /// Lets whoever waits for the object look at it again at once; without a name, for any.
    pub(super) fn wake(&self, id: Option<&K::Id>) {
        let state = self.lock();
        match id {
            Some(id) => state.shifts.get(&id.to_string()).into_iter().for_each(Shift::call),
            None => state.shifts.values().for_each(Shift::call),
        }
    }

    fn accept(self: &Arc<Self>, object: K, from: From) {
        let name = object.name_any();
        let mut state = self.lock();
        let shift = state.shifts.get(&name).cloned();
        let is_old = |known: &Known| {
            known.is(&object)
                && version(&object) <= known.version
                && (from == From::Event || shift.is_some())
        };
        if self.shared.stop.is_cancelled() || state.known.get(&name).is_some_and(is_old) {
            return;
        }
        let before = state.known.insert(name.clone(), Known::of(&object));
        if before.is_none() && self.shared.settings.orphans.are_there() {
            self.shared.changed.notify_one();
        }
        if let Some(shift) = shift {
            shift.give(object);
            return;
        }
        let shift = Arc::new(Shift { newer: Mutex::new(None), wake: Notify::new() });
        state.shifts.insert(name, Arc::clone(&shift));
        drop(state);
        self.shared.tasks.spawn(Arc::clone(self).work(shift, object));
    }

    /// Works on the object until there is nothing to do.
    async fn work(self: Arc<Self>, shift: Arc<Shift<K>>, mut object: K) {
        let mut delays = Delays::NEW;
        loop {
            // A task of its own, because a panic is caught at the edge of one.
            let step = tokio::spawn(fulfil(Arc::clone(&self.shared), object.clone()));
            let next = match step.await {
                Ok((now, next)) => {
                    object = now;
                    next
                }
                Err(ended) => {
                    tracing::error!(%ended, "the work on {} ended by a defect", what(&object));
                    Next::Later
                }
            };
            self.note(&object);
            let delay = match next {
                Next::Nothing if object.is_answered() => None,
                Next::Gone => None,
                // The wish has changed while what was true before was told.
                Next::Nothing | Next::Soon => Some(delays.soon.next()),
                Next::Unheard(error) => Some(delays.unheard(&object, &error)),
                Next::Later => Some(delays.later.next()),
            };
            if let Some(delay) = delay {
                tokio::select! {
                    () = tokio::time::sleep(delay) => {}
                    () = shift.wake.notified() => {}
                    () = self.shared.stop.cancelled() => return,
                }
            }
            match self.newer_or_end(&object, &shift, delay.is_none()) {
                Some(newer) => {
                    object = newer;
                    delays = Delays::NEW;
                }
                None if delay.is_none() => return,
                None => {}
            }
        }
    }

    /// Returns the object as it arrived meanwhile; without one the shift may end.
    fn newer_or_end(&self, object: &K, shift: &Shift<K>, is_done: bool) -> Option<K> {
        let mut state = self.lock();
        // What this node has written came back as an event, too.
        let newer = shift.take().filter(|newer| {
            newer.meta().uid != object.meta().uid || version(newer) > version(object)
        });
        if newer.is_none() && is_done {
            state.shifts.remove(&object.name_any());
        }
        newer
    }

    /// Remembers what this node has written: the event of it is no news then.
    fn note(&self, object: &K) {
        let mut state = self.lock();
        let known = state.known.get_mut(&object.name_any());
        if let Some(known) = known.filter(|known| known.is(object))
            && known.version <= version(object)
        {
            *known = Known::of(object);
        }
    }

    /// The maps are whole between any two of their operations, so a panic elsewhere does not spoil them.
    fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Kind> Told for Desk<K> {
    type Kind = K;

    fn take(self: &Arc<Self>, event: Event<Lean<K>>) {
        match event {
            Event::Init => self.lock().listed = Some(BTreeSet::new()),
            Event::InitApply(Lean(object)) => {
                if let Some(listed) = &mut self.lock().listed {
                    listed.insert(object.name_any());
                }
                self.accept(object, From::List);
            }
            Event::InitDone => {
                let mut state = self.lock();
                if let Some(listed) = state.listed.take() {
                    state.known.retain(|name, _| listed.contains(name));
                }
                state.synced = true;
                drop(state);
                self.shared.changed.notify_one();
            }
            Event::Apply(Lean(object)) => self.accept(object, From::Event),
            Event::Delete(Lean(object)) => {
                let (name, mut state) = (object.name_any(), self.lock());
                if state.known.get(&name).is_some_and(|known| known.is(&object)) {
                    state.known.remove(&name);
                }
                drop(state);
                self.shared.changed.notify_one();
            }
        }
    }
}

// === impl Known ===

impl Known {
    fn of<K: Kind>(object: &K) -> Self {
        let made = |status: &K::Status| {
            status.created()?;
            Some(Made {
                pool: object.home().pool,
                uuid: status.pool_uuid().unwrap_or_default().to_owned(),
                conditions: status.conditions().to_vec(),
            })
        };
        Self {
            uid: object.uid().unwrap_or_default(),
            version: version(object),
            made: object.status().and_then(made),
        }
    }

    /// Says whether it is this object, and not another one that had or has its name.
    fn is<K: Kind>(&self, object: &K) -> bool {
        object.meta().uid.as_ref() == Some(&self.uid)
    }
}

/// Returns the version of an object; that of a later write is greater. One that cannot be read is never old.
fn version<K: Kind>(object: &K) -> u64 {
    let version = object.meta().resource_version.as_deref();
    version.and_then(|version| version.parse().ok()).unwrap_or(u64::MAX)
}

// === impl Shift ===

impl<K> Shift<K> {
    fn call(self: &Arc<Self>) {
        self.wake.notify_one();
    }

    fn give(&self, newer: K) {
        *self.lock() = Some(newer);
        self.wake.notify_one();
    }

    fn take(&self) -> Option<K> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<K>> {
        self.newer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long the same waits that is to be tried again.
#[derive(Debug, Clone)]
struct Delays {
    soon: Delay,
    unheard: Delay,
    later: Delay,
    is_told: bool,
}

// === impl Delays ===

impl Delays {
    const NEW: Self = Self { soon: SOON, unheard: UNHEARD, later: LATER, is_told: false };

    /// What the API server refuses is told once; that it is away is told elsewhere.
    fn unheard<K: Kind>(&mut self, object: &K, error: &Error) -> Duration {
        let is_news = !self.is_told && !matches!(error, Error::Unreachable { .. });
        if is_news {
            self.is_told = true;
            tracing::error!(why = error.sentence(), "{} waits", what(object));
        } else {
            tracing::debug!(why = error.sentence(), "{} waits", what(object));
        }
        self.unheard.next()
    }
}
