//! What is true of a pool. What changes all the time is told seldom, and only when it has changed by a hundredth.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::orphans::orphans;
use crate::backend::{LocalPool, PoolFigures};
use crate::cluster::node::health::are_same;
use crate::cluster::node::{BRING_THE_POOL_BACK, Desks, Shared};
use crate::cluster::objects::{Feature, LeastBytes, Orphan, Pool, PoolStatus, storage_conditions};
use crate::error::Result;
use crate::volume::{Bytes, Reason, StorageCondition, StorageSeverity, Timestamp};

/// How long is waited for the figures of a pool. One whose disk hangs has none.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long after it was told what is used is told again.
const SELDOM: Duration = Duration::from_mins(1);

/// Somebody who looks at a pool.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) pool: LocalPool,
    /// A question that was not answered yet: another one would hang, too.
    asked: Option<JoinHandle<Result<PoolFigures>>>,
    /// When it was told at last how much is used.
    used_told: Option<Instant>,
    orphans: Option<Vec<Orphan>>,
}

// === impl Look ===

impl Look {
    pub(super) fn new(pool: LocalPool) -> Self {
        Self { pool, asked: None, used_told: None, orphans: None }
    }

    /// Looks what has no object.
    pub(super) async fn at_orphans(&mut self, shared: &Shared, desks: &Desks) {
        let Ok(contents) = self.pool.backend.contents().await else { return };
        let Some(found) = orphans(&contents, desks) else { return };
        let ids = |all: &[Orphan]| all.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
        let before = self.orphans.as_deref().map(ids).unwrap_or_default();
        let news: Vec<_> = ids(&found).into_iter().filter(|id| !before.contains(id)).collect();
        if !news.is_empty() {
            tracing::warn!(
                pool = &*self.pool.name,
                ids = news.join(", "),
                "data without an object: it is kept; `orlop adopt --manifests` prints objects for it"
            );
        }
        shared.settings.orphans.set(&self.pool.name, found.len());
        self.orphans = Some(found);
    }

    /// Returns the status that the object is to have.
    pub(super) async fn status(&mut self, object: &Pool) -> PoolStatus {
        let before = object.status.clone().unwrap_or_default();
        let mut status = PoolStatus {
            observed_generation: object.metadata.generation,
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            ..before.clone()
        };
        if let Ok(uuid) = self.pool.backend.uuid() {
            status.uuid = Some(uuid.to_string());
        }
        match self.figures().await {
            Some(figures) => self.fill(&mut status, &figures),
            // What cannot be asked can be promised nothing.
            None => status.promisable = Some(Bytes::ZERO),
        }
        if let Some(orphans) = &self.orphans {
            status.orphan_count = Some(u32::try_from(orphans.len()).unwrap_or(u32::MAX));
            status.orphans = orphans.iter().take(Orphan::MOST).cloned().collect();
        }
        let health = self.pool.backend.storage_health().await.unwrap_or_default();
        let conditions = storage_conditions(&health, &before.conditions, Timestamp::now());
        if !are_same(&conditions, &before.conditions) {
            status.conditions = conditions;
        }
        status
    }

    /// Notes that the object has this status now.
    pub(super) fn written(&mut self, before: &Pool, status: &PoolStatus) {
        let used = before.status.as_ref().and_then(|before| before.used);
        if used != status.used {
            self.used_told = Some(Instant::now());
        }
    }

    async fn figures(&mut self) -> Option<PoolFigures> {
        let backend = self.pool.backend.clone();
        let asked =
            self.asked.get_or_insert_with(|| tokio::spawn(async move { backend.figures(0).await }));
        let answer = timeout(PATIENCE, asked).await.ok()?;
        self.asked = None;
        answer.ok()?.ok()
    }

    fn fill(&self, status: &mut PoolStatus, figures: &PoolFigures) {
        let backend = &self.pool.backend;
        status.kind = Some(figures.kind.to_owned());
        status.provisioning = Some(figures.provisioning.to_owned());
        status.capacity = Some(figures.capacity);
        status.size = Some(figures.capacity.to_string());
        status.promisable = Some(figures.promisable);
        status.shared = figures.shared;
        status.low = figures.low;
        status.least_bytes = Some(LeastBytes::by(|content| backend.least_size(content)));
        let features = [
            (Feature::Snapshots, backend.snapshots().is_some()),
            (Feature::GroupSnapshots, backend.groups().is_some()),
            (Feature::ChangedBlocks, backend.changes().is_some()),
        ];
        let has = features.into_iter().filter(|(_, has)| *has);
        status.features = has.map(|(feature, _)| feature.as_str().to_owned()).collect();
        let is_due = self.used_told.is_none_or(|told| told.elapsed() >= SELDOM);
        if status.used.is_none_or(|told| is_due && has_moved(told, figures)) {
            status.used = Some(figures.used);
            status.used_percent = Some(PoolStatus::percent(figures.used, figures.capacity));
            status.free = Some(figures.free);
        }
    }
}

/// Says whether what is used is another by a hundredth of the pool at least.
fn has_moved(told: Bytes, figures: &PoolFigures) -> bool {
    let moved = told.0.abs_diff(figures.used.0);
    moved > 0 && moved >= figures.capacity.0 / 100
}

/// Returns the status of an object for which there is no pool in the config of its node.
pub(super) fn of_no_pool(object: &Pool) -> PoolStatus {
    let before = object.status.clone().unwrap_or_default();
    let gone = StorageCondition {
        severity: StorageSeverity::Unreachable,
        reason: Reason::PoolUnreachable,
        message: format!(
            "{} is not in the config of its node: {BRING_THE_POOL_BACK}, or delete this object when its volumes are gone",
            object.home()
        ),
    };
    let conditions = storage_conditions(&[gone], &before.conditions, Timestamp::now());
    PoolStatus {
        observed_generation: object.metadata.generation,
        promisable: Some(Bytes::ZERO),
        conditions: if are_same(&conditions, &before.conditions) {
            before.conditions.clone()
        } else {
            conditions
        },
        ..before
    }
}
