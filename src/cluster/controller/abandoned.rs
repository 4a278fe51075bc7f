//! Takes away the objects of what was to be removed, and is lost: no node is left that would.
//!
//! While a node is away, a call to delete something ends as soon as its wish is stored, and nobody makes that call again.
//! Should the node never be back, its wish is ended here, as the call would end it. What nobody has asked to delete
//! stays. Every controller does so at once: what another one has taken away already is gone.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::Shared;
use super::kind::Kind;
use super::seen::Seen;
use crate::cluster::Refused;
use crate::cluster::delay::Delay;
use crate::cluster::objects::{GroupSnapshot, Snapshot, Volume};
use crate::error::{Error, Meaning, Result};

/// How long after a look the next one is at the earliest: what changes meanwhile is looked at together.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// How long after something could not be taken away the next try is.
const AGAIN: Delay = Delay::new(Duration::from_secs(1), Duration::from_mins(1));

/// Looks now and after each change, for as long as the process lives. All has to be known by then.
pub(super) async fn take_away(shared: Arc<Shared>) {
    let (mut signs, mut again, mut is_told) = (Signs::of(&shared), AGAIN, false);
    loop {
        // What changes from here on is looked at the next time.
        signs.forget();
        match shared.take_away_abandoned().await {
            Ok(()) => {
                (again, is_told) = (AGAIN, false);
                signs.any().await;
                tokio::time::sleep(BETWEEN_LOOKS).await;
            }
            Err(error) => {
                untold(&error, &mut is_told);
                tokio::time::sleep(again.next()).await;
            }
        }
    }
}

/// Tells once that something is refused; that the API server is away is told elsewhere.
fn untold(error: &Error, is_told: &mut bool) {
    let why = error.sentence();
    if *is_told || matches!(error, Error::Unreachable { .. }) {
        tracing::debug!(why, "objects of what is lost are taken away later");
    } else {
        *is_told = true;
        tracing::error!(why, "objects of what is lost cannot be taken away");
    }
}

/// Tells of every change that can make something lost, or wished away.
struct Signs {
    volumes: watch::Receiver<bool>,
    snapshots: watch::Receiver<bool>,
    groups: watch::Receiver<bool>,
    pools: watch::Receiver<bool>,
    nodes: watch::Receiver<bool>,
}

// === impl Signs ===

impl Signs {
    fn of(shared: &Shared) -> Self {
        Self {
            volumes: shared.volumes.changes(),
            snapshots: shared.snapshots.changes(),
            groups: shared.groups.changes(),
            pools: shared.pools.changes(),
            nodes: shared.nodes.changes(),
        }
    }

    fn forget(&mut self) {
        let Self { volumes, snapshots, groups, pools, nodes } = self;
        for sign in [volumes, snapshots, groups, pools, nodes] {
            sign.mark_unchanged();
        }
    }

    async fn any(&mut self) {
        // Whoever sends them lives as long as what is known.
        drop(tokio::select! {
            changed = self.volumes.changed() => changed,
            changed = self.snapshots.changed() => changed,
            changed = self.groups.changed() => changed,
            changed = self.pools.changed() => changed,
            changed = self.nodes.changed() => changed,
        });
    }
}

// === impl Shared ===

impl Shared {
    async fn take_away_abandoned(&self) -> Result<()> {
        let volumes = self.take_away_all::<Volume>().await;
        let snapshots = self.take_away_all::<Snapshot>().await;
        volumes.and(snapshots).and(self.take_away_all::<GroupSnapshot>().await)
    }

    /// Sees to all of a kind, whatever becomes of one, and returns the first error.
    async fn take_away_all<K: Kind>(&self) -> Result<()> {
        let is_abandoned = |name: &str, seen: &Seen<K>| {
            let uuid = seen.pool_uuid.as_deref();
            let is_abandoned = seen.is_to_be_deleted && self.seems_lost(&seen.home, uuid);
            is_abandoned.then(|| name.to_owned())
        };
        let mut told = Ok(());
        for id in K::known(self).some(None, usize::MAX, is_abandoned) {
            match self.take_away_if_lost::<K>(&id).await {
                // The others would fare no better.
                Err(error) if error.meaning() == Meaning::Unreachable => return Err(error),
                one => told = told.and(one),
            }
        }
        told
    }

    /// Takes the object away if it is as it was seen, and if what it stands for is lost indeed: what only seems so is
    /// asked for.
    async fn take_away_if_lost<K: Kind>(&self, id: &str) -> Result<()> {
        let Some(seen) = K::known(self).get(id).filter(|seen| seen.is_to_be_deleted) else {
            return Ok(());
        };
        let Some(why) = self.lost(&seen.home, seen.pool_uuid.as_deref()).await? else {
            return Ok(());
        };
        match self.take_away(id, &seen).await {
            // How it has changed is known in a moment, and looked at then.
            Err(Refused::Stale) => Ok(()),
            answer => {
                answer?;
                tracing::info!(id, why, "it was to be deleted, and is lost: its object is deleted");
                Ok(())
            }
        }
    }
}
