//! Enforces the limits of volumes where pods use them.
//!
//! The truth is the volume's record, and what the kernel has is asked of the kernel. Here is remembered only which
//! volumes have to be looked at again: their pod may have no control group yet, for kubelet mounts and makes
//! groups side by side, or it may start containers later whose groups need a limit of their own.
//!
//! A volume is used whether its limits can be enforced or not: nothing here fails a call.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::volume::{At, Here};
use crate::backend::{Device, Enforcer, LocalPool, Registry};
use crate::error::Result;
use crate::host::{Enforcement, Host};
use crate::locks::Locks;
use crate::volume::{Limits, Volume, VolumeId};

/// How often the volumes are looked at that need it.
const OFTEN: Duration = Duration::from_secs(1);
/// How often all others are: somebody else may have written to the groups.
const SELDOM: Duration = Duration::from_secs(30);
/// For how long the group of a pod is expected at any moment.
const PATIENCE: Duration = Duration::from_mins(1);

/// Until then it is no finding that a pod has no group.
const GRACE: Duration = Duration::from_secs(10);

/// What enforces the limits of this node's volumes.
#[derive(Debug)]
pub struct Limiter {
    pools: Registry,
    host: Arc<dyn Host>,
    locks: Locks,
    watched: Mutex<BTreeMap<VolumeId, Watched>>,
}

/// A volume with limits that is in use.
#[derive(Debug, Clone)]
struct Watched {
    since: Instant,
    looked_at: Instant,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// As the kernel answered at last.
    Enforced(Enforcement),
    /// It could not be done, or it was never tried.
    Failed(String),
}

// === impl Limiter ===

impl Limiter {
    /// Returns a limiter that looks after the volumes of these pools as long as it exists. It begins with those that
    /// an earlier driver has left in use.
    pub fn start(pools: Registry, host: Arc<dyn Host>, locks: Locks) -> Arc<Self> {
        let limiter = Arc::new(Self { pools, host, locks, watched: Mutex::default() });
        // Each pool by itself: the disk of one may hang.
        for pool in limiter.pools.iter() {
            tokio::spawn(look_after(Arc::downgrade(&limiter), pool.clone()));
        }
        limiter
    }

    /// Says why the limits of the volume do not hold although it is in use, if that is so. Takes no lock of a volume
    /// and asks nobody.
    pub fn unenforced(&self, id: &VolumeId) -> Option<String> {
        self.watched().get(id)?.trouble()
    }

    /// Lets the limits of a volume hold that was just published. The caller has its lock.
    pub(super) async fn published(&self, volume: &Volume) {
        if !volume.limits.is_none() {
            self.enforce(&volume.id).await;
        }
    }

    /// Takes the limits away from the pod that the volume was just unpublished from; `before` is how it was used until
    /// then. The caller has its lock.
    pub(super) async fn unpublished(&self, id: &VolumeId, before: &Here, target: &Path) {
        if !self.may_be_limited(id).await {
            return;
        }
        // The mount knows its device, also where the pool does not answer.
        let device = match before.at(target) {
            At::Ours(place) | At::Foreign(place) => place.device,
            At::Nothing => before.device.as_ref().map(|device| device.number),
        };
        if let Some(device) = device
            && let Err(why) = self.host.unlimit(device, target).await
        {
            tracing::warn!(volume = %id, why = why.sentence(), "limits are left behind");
        }
        if self.watched().contains_key(id) {
            self.enforce(id).await;
        }
    }

    /// A volume has limits as long as its record cannot be read to say otherwise.
    async fn may_be_limited(&self, id: &VolumeId) -> bool {
        let found = self.pools.find(id).await;
        let has_none = matches!(found, Ok(Some((_, volume))) if volume.limits.is_none());
        !has_none || self.watched().contains_key(id)
    }

    /// Lets the volume's limits hold where it is used now. The caller has its lock.
    async fn enforce(&self, id: &VolumeId) {
        let state = match self.in_use(id).await {
            Ok(None) => None,
            Ok(Some((device, limits))) => match self.host.limit(&device, &limits).await {
                // Nothing has to be looked at again.
                Ok(_) if limits.is_none() => None,
                answer => Some(State::of(answer)),
            },
            Err(why) => Some(State::of(Err(why))),
        };
        self.note(id, state);
    }

    /// Looks whether the volume's limits hold, and locks it only where there is something to do: a lock that is held
    /// turns away whoever wants to work with the volume.
    async fn look_at(&self, id: &VolumeId) {
        let state = match self.in_use(id).await {
            Ok(None) => None,
            Ok(Some((device, limits))) => match self.host.holds(&device, &limits).await {
                Ok(Some(_)) if limits.is_none() => None,
                Ok(Some(enforcement)) => Some(State::Enforced(enforcement)),
                Ok(None) => {
                    if let Ok(_guard) = self.locks.try_lock(id) {
                        self.enforce(id).await;
                    }
                    return;
                }
                Err(why) => Some(State::of(Err(why))),
            },
            Err(why) => Some(State::of(Err(why))),
        };
        self.note(id, state);
    }

    /// Returns the device and the limits of the volume, or nothing when nobody uses it.
    async fn in_use(&self, id: &VolumeId) -> Result<Option<(Device, Limits)>> {
        let Some((pool, volume)) = self.pools.find(id).await? else { return Ok(None) };
        let Some(device) = pool.backend.attached(id).await? else { return Ok(None) };
        let is_seen = !self.host.sight(Some(&device), &[]).await?.of_device.is_empty();
        Ok(is_seen.then_some((device, volume.limits)))
    }

    /// Remembers how it is with the volume; with nothing it is not looked at again.
    fn note(&self, id: &VolumeId, state: Option<State>) {
        let mut all = self.watched();
        let before = all.remove(id);
        let Some(state) = state else { return };
        let now = Instant::now();
        let since = before.as_ref().map_or(now, |watched| watched.since);
        all.insert(id.clone(), Watched { since, looked_at: now, state: state.clone() });
        drop(all);
        if before.is_none_or(|before| before.state != state) {
            state.tell(id);
        }
    }

    /// Looks at everything in the pool that is due, and at what no pool keeps any more.
    async fn look(&self, pool: &LocalPool) {
        let due: Vec<_> = {
            let all = self.watched();
            all.iter().filter(|(_, one)| one.is_due()).map(|(id, _)| id.clone()).collect()
        };
        for id in due {
            if self.pools.keeper(&id).await.is_none_or(|keeper| keeper.name == pool.name) {
                self.look_at(&id).await;
            }
        }
    }

    /// Finds the volumes of the pool that an earlier driver has left in use.
    async fn find(&self, pool: &LocalPool) -> Result<()> {
        let volumes = pool.backend.list(None, usize::MAX).await?;
        let limited = volumes.into_iter().filter(|volume| !volume.limits.is_none());
        let state = State::Failed("not looked at yet".to_owned());
        let now = Instant::now();
        let watched = Watched { since: now, looked_at: now, state };
        self.watched().extend(limited.map(|volume| (volume.id, watched.clone())));
        Ok(())
    }

    /// The map is whole between any two of its operations, so a panic elsewhere does not spoil it.
    fn watched(&self) -> MutexGuard<'_, BTreeMap<VolumeId, Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Enforcer for Limiter {
    async fn limits_changed(&self, id: &VolumeId) {
        self.enforce(id).await;
    }

    fn unenforced(&self) -> Vec<(VolumeId, String)> {
        let all = self.watched();
        all.iter().filter_map(|(id, one)| Some((id.clone(), one.trouble()?))).collect()
    }
}

/// Looks after the volumes of the pool until the limiter is gone.
async fn look_after(limiter: Weak<Limiter>, pool: LocalPool) {
    let mut is_there = false;
    while let Some(limiter) = limiter.upgrade() {
        // One whose disk comes later has the volumes that are in use no sooner.
        if !is_there && pool.backend.uuid().is_ok() {
            is_there = true;
            if let Err(why) = limiter.find(&pool).await {
                tracing::warn!(
                    pool = &*pool.name,
                    why = why.sentence(),
                    "not all volumes with limits were found"
                );
            }
        }
        limiter.look(&pool).await;
        drop(limiter);
        tokio::time::sleep(OFTEN).await;
    }
}

// === impl Watched ===

impl Watched {
    /// What lasts is looked at seldom; what a pod is about to need, often.
    fn is_due(&self) -> bool {
        let often = match &self.state {
            State::Enforced(Enforcement::Lasting) => false,
            State::Enforced(Enforcement::ForNow) => true,
            State::Enforced(Enforcement::Missing(_)) | State::Failed(_) => {
                self.since.elapsed() < PATIENCE
            }
        };
        often || self.looked_at.elapsed() >= SELDOM
    }

    fn trouble(&self) -> Option<String> {
        match &self.state {
            State::Enforced(Enforcement::Lasting | Enforcement::ForNow) => None,
            State::Enforced(Enforcement::Missing(_)) if self.since.elapsed() < GRACE => None,
            State::Enforced(Enforcement::Missing(why)) | State::Failed(why) => Some(why.clone()),
        }
    }
}

// === impl State ===

impl State {
    fn of(answer: Result<Enforcement>) -> Self {
        answer.map_or_else(|why| Self::Failed(why.sentence()), Self::Enforced)
    }

    fn tell(&self, id: &VolumeId) {
        match self {
            Self::Enforced(Enforcement::Lasting | Enforcement::ForNow) => {
                tracing::debug!(volume = %id, "its limits hold");
            }
            // Usual for a moment: kubelet makes the group of a pod while it mounts its volumes.
            Self::Enforced(Enforcement::Missing(why)) => {
                tracing::info!(volume = %id, why, "its limits do not hold yet");
            }
            Self::Failed(why) => tracing::warn!(volume = %id, why, "its limits do not hold"),
        }
    }
}
