//! Holds the volumes of a thin pool still while it has no room, so that nobody's data is lost.
//!
//! A pool that is really full answers writes with an error, over which file systems lose what they have not written
//! yet. So below a reserve the mounted volumes are frozen: their writers wait, and go on when there is room again.
//! The marker `paused` is in a volume's directory from before the freeze until behind the thaw, and has a word in
//! it while the volume is frozen: a driver that starts knows what an earlier one has paused.
//!
//! Nothing is thawed when the driver ends: the pool would run full without it.

mod dirty;
mod freeze;
mod watch;

pub(super) use freeze::is_paused;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::error::{Error, Result};
use super::place::Located;
use super::settings::Settings;
use super::store::Store;
use crate::backend::Hold;
use crate::sys::blocking;
use crate::volume::VolumeId;

/// What pauses the volumes of one pool.
#[derive(Debug)]
pub(super) struct Pausing {
    settings: Settings,
    located: Located,
    store: Arc<Store>,
    state: Mutex<State>,
    /// Told whenever nobody works on a volume any more.
    done: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Whether the pool has no room, and every mounted volume is to be paused.
    full: bool,
    /// How many volumes are being frozen: they still write out what was dirty of them.
    stopping: usize,
    /// What is frozen.
    paused: BTreeSet<VolumeId>,
    /// What must not be frozen now, and for how many.
    running: BTreeMap<VolumeId, usize>,
    /// What is being frozen or thawed.
    busy: BTreeSet<VolumeId>,
}

/// A volume that is not paused as long as this is kept, however full its pool is.
#[derive(Debug)]
struct Running {
    id: VolumeId,
    pausing: Arc<Pausing>,
}

/// The right to freeze or thaw one volume.
#[derive(Debug)]
struct Turn {
    id: VolumeId,
    pausing: Arc<Pausing>,
}

// === impl Pausing ===

impl Pausing {
    /// Returns what pauses the pool's volumes as long as it is kept, after it has decided about those that an earlier
    /// driver has paused: they stay so while there is no room, and go on otherwise.
    pub(super) async fn start(
        settings: &Settings,
        located: &Located,
        store: &Arc<Store>,
        marked: Vec<VolumeId>,
    ) -> Result<Arc<Self>> {
        let (settings, located, store) = (settings.clone(), located.clone(), Arc::clone(store));
        let (state, done) = (Mutex::default(), Condvar::new());
        let pausing = Arc::new(Self { settings, located, store, state, done });
        let this = Arc::clone(&pausing);
        blocking(move || this.take_over(marked)).await?;
        if pausing.settings.pauses() {
            watch::start(Arc::downgrade(&pausing))?;
        }
        Ok(pausing)
    }

    /// Fails when whoever begins to use a volume now would only wait.
    pub(super) fn admits(&self) -> Result<()> {
        if !self.lock().full {
            return Ok(());
        }
        let Settings { name, .. } = &self.settings;
        Err(Error::unfit(format!(
            "thin pool {name} is full and its volumes are paused: delete volumes or snapshots, or give it more room"
        )))
    }

    /// Returns the volumes that are paused.
    pub(super) fn paused(&self) -> Vec<VolumeId> {
        self.lock().paused.iter().cloned().collect()
    }

    /// Lets the volume go on if it is paused, and keeps it from being paused as long as the value is kept: a frozen
    /// file system can neither be unmounted for good nor grown.
    pub(super) async fn keep_running(self: &Arc<Self>, id: &VolumeId) -> Result<Box<dyn Hold>> {
        let running = Running { id: id.clone(), pausing: Arc::clone(self) };
        *self.lock().running.entry(id.clone()).or_default() += 1;
        blocking(move || {
            running.pausing.resume(&running.id)?;
            Ok(Box::new(running) as Box<dyn Hold>)
        })
        .await
    }

    /// What cannot be thawed keeps its marker, and is said aloud: the pool can be used all the same.
    fn take_over(self: &Arc<Self>, marked: Vec<VolumeId>) -> Result<()> {
        if self.settings.pauses() && !watch::has_room(&self.settings, self.located.space()?) {
            let mut state = self.lock();
            state.full = true;
            state.paused = marked.into_iter().collect();
            return Ok(());
        }
        for id in marked {
            if let Err(error) = self.resume(&id) {
                let why = crate::error::Error::from(error).sentence();
                tracing::error!(volume = %id, why, "it was paused, and cannot be thawed");
            }
        }
        Ok(())
    }

    /// Waits until nobody else freezes or thaws the volume.
    fn turn(self: &Arc<Self>, id: &VolumeId) -> Turn {
        let state = self.lock();
        let is_busy = |state: &mut State| state.busy.contains(id);
        let mut state =
            self.done.wait_while(state, is_busy).unwrap_or_else(PoisonError::into_inner);
        state.busy.insert(id.clone());
        Turn { id: id.clone(), pausing: Arc::clone(self) }
    }

    /// Returns nothing while somebody else freezes or thaws the volume.
    fn turn_now(self: &Arc<Self>, id: &VolumeId) -> Option<Turn> {
        let is_free = self.lock().busy.insert(id.clone());
        is_free.then(|| Turn { id: id.clone(), pausing: Arc::clone(self) })
    }

    /// The state is whole between any two of its operations, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Running ===

impl Hold for Running {}

impl Drop for Running {
    fn drop(&mut self) {
        let mut state = self.pausing.lock();
        if let Some(count) = state.running.get_mut(&self.id) {
            *count -= 1;
            if *count == 0 {
                state.running.remove(&self.id);
            }
        }
    }
}

// === impl Turn ===

impl Drop for Turn {
    fn drop(&mut self) {
        self.pausing.lock().busy.remove(&self.id);
        self.pausing.done.notify_all();
    }
}
