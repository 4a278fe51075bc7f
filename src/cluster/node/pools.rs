//! The Pool objects of this node: made and kept for each pool of the config, and written when something has changed.

mod orphans;
mod status;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::ResourceExt;
use kube::runtime::watcher::Event;

use super::watch::Told;
use super::{Desks, Shared};
use crate::backend::LocalPool;
use crate::cluster::Refused;
use crate::cluster::objects::{Home, Lean, Pool, PoolStatus};
use crate::error::Error;

use status::Look;

/// How often the pools are looked at where nothing calls for it.
const OFTEN: Duration = Duration::from_mins(1);

/// How soon again what could not be written.
const AGAIN: Duration = Duration::from_secs(5);

/// The Pool objects of this node as they are.
#[derive(Debug)]
pub(super) struct Pools {
    shared: Arc<Shared>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    known: BTreeMap<String, Pool>,
    listed: Option<BTreeMap<String, Pool>>,
    synced: bool,
}

// === impl Pools ===

impl Pools {
    pub(super) fn new(shared: &Arc<Shared>) -> Arc<Self> {
        Arc::new(Self { shared: Arc::clone(shared), state: Mutex::default() })
    }

    /// Keeps the objects until the node stops.
    pub(super) async fn keep(self: Arc<Self>, desks: Desks) {
        let work = async {
            let pools = self.shared.settings.pools.iter().cloned();
            let mut looks: Vec<_> = pools.map(Look::new).collect();
            let mut is_told = false;
            loop {
                let pause = match self.tend_all(&mut looks, &desks).await {
                    Ok(()) => {
                        is_told = false;
                        OFTEN
                    }
                    Err(refused) => {
                        untold(refused, &mut is_told);
                        AGAIN
                    }
                };
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = self.shared.changed.notified() => {}
                }
            }
        };
        tokio::select! {
            () = work => {}
            () = self.shared.stop.cancelled() => {}
        }
    }

    /// Sees to all of them, whatever becomes of one, and returns the first error.
    async fn tend_all(&self, looks: &mut [Look], desks: &Desks) -> Result<(), Refused> {
        if !self.lock().synced {
            return Ok(());
        }
        let mut told = Ok(());
        for look in looks {
            let one = self.tend(look, desks).await;
            told = told.and(one);
        }
        for foreign in self.without_a_pool() {
            let one = self.write(&foreign, &status::of_no_pool(&foreign)).await;
            told = told.and(one);
        }
        told
    }

    async fn tend(&self, look: &mut Look, desks: &Desks) -> Result<(), Refused> {
        let home = self.home(&look.pool);
        let known = self.lock().known.get(&home.object_name()).cloned();
        let Some(object) = known else {
            // It comes back as an event, and gets its status then.
            return match self.shared.post(&Pool::at(&home)).await {
                Ok(()) | Err(Refused::Exists) => Ok(()),
                Err(other) => Err(other),
            };
        };
        look.at_orphans(&self.shared, desks).await;
        let status = look.status(&object).await;
        self.write(&object, &status).await?;
        look.written(&object, &status);
        Ok(())
    }

    async fn write(&self, object: &Pool, status: &PoolStatus) -> Result<(), Refused> {
        if object.status.as_ref() == Some(status) {
            return Ok(());
        }
        let (name, uid) = (object.name_any(), object.uid().unwrap_or_default());
        let now: Pool = self.shared.replace(&name, &uid, "/status", status).await?;
        // Unless it was deleted since, or replaced.
        let mut state = self.lock();
        if let Some(known) = state.known.get_mut(&name).filter(|known| known.uid() == now.uid()) {
            *known = now;
        }
        Ok(())
    }

    /// Returns the objects of this node for which its config has no pool.
    fn without_a_pool(&self) -> Vec<Pool> {
        let state = self.lock();
        let foreign =
            state.known.values().filter(|object| self.shared.pool(&object.home()).is_none());
        foreign.cloned().collect()
    }

    fn home(&self, pool: &LocalPool) -> Home {
        Home::new(&*self.shared.settings.node, &*pool.name)
    }

    /// The maps are whole between any two of their operations, so a panic elsewhere does not spoil them.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Told for Pools {
    type Kind = Pool;

    fn take(self: &Arc<Self>, event: Event<Lean<Pool>>) {
        let mut state = self.lock();
        match event {
            Event::Init => state.listed = Some(BTreeMap::new()),
            Event::InitApply(Lean(object)) => {
                if let Some(listed) = &mut state.listed {
                    listed.insert(object.name_any(), object);
                }
                return;
            }
            Event::InitDone => {
                state.known = state.listed.take().unwrap_or_default();
                state.synced = true;
            }
            Event::Apply(Lean(object)) => {
                state.known.insert(object.name_any(), object);
            }
            Event::Delete(Lean(object)) => {
                state.known.remove(&object.name_any());
            }
        }
        drop(state);
        self.shared.changed.notify_one();
    }
}

/// Tells once that something is refused; that the API server is away is told elsewhere.
fn untold(refused: Refused, is_told: &mut bool) {
    let error = Error::from(refused);
    let why = error.sentence();
    if *is_told || matches!(error, Error::Unreachable { .. }) {
        tracing::debug!(why, "what is true of the pools is told later");
    } else {
        *is_told = true;
        tracing::error!(why, "what is true of the pools cannot be told");
    }
}
