//! What is the matter with a pool and its volumes, found out without a lock and within two seconds.
//!
//! Whatever is asked may hang: the pool's disk, a volume's file system, a loop device. So each is asked through
//! [`Questions`], and one that does not answer is the finding. The pool comes first: while its disk does not
//! answer, nothing else of it is asked.

mod kernel;
mod look;
mod pool;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tracing::Instrument;

use super::ImagePool;
use super::error::Result;
use super::record::VolumeRecord;
use crate::sys::beneath::Dir;
use crate::sys::probe;
use crate::sys::questions::{Questions, on_its_own};
use crate::volume::{Condition, Reason, StorageCondition, StorageSeverity, Unwell, VolumeId};

use kernel::Kernel;
pub(super) use look::Looked;
use pool::Finding;

/// How long a pool may take to tell of itself and its files, and its volumes' file systems behind that: together
/// less than the two seconds within which a call is answered.
const LIMIT: Duration = Duration::from_secs(1);
const LIMIT_OF_FILE_SYSTEMS: Duration = Duration::from_millis(500);

/// How many of a pool's things are asked at once; each that hangs keeps a thread until it answers.
pub(super) const MOST_ASKED: usize = 32;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum About {
    /// The pool's disk.
    Pool,
    /// The files of all volumes.
    Volumes,
    /// The files of one volume.
    Volume(VolumeId),
    /// A volume's file system.
    Mount(VolumeId),
}

type Known = (VolumeId, Option<VolumeRecord>);

impl ImagePool {
    /// Returns what is the matter with the volume, or nothing when there is none.
    pub(super) async fn health_of(&self, id: &VolumeId) -> Result<Option<Vec<Condition>>> {
        let Some(known) = self.volumes.one(id) else { return Ok(None) };
        let looked = self.health_of_these(About::Volume(id.clone()), vec![known]).await?;
        Ok(looked.into_iter().next().map(|one| one.conditions))
    }

    /// Returns the volumes behind `after` with which something is the matter.
    pub(super) async fn unwell_volumes(
        &self,
        after: Option<&VolumeId>,
        most: usize,
    ) -> Result<Vec<Unwell>> {
        let all = self.health_of_these(About::Volumes, self.volumes.all(after)).await?;
        Ok(all.into_iter().filter(|one| !one.conditions.is_empty()).take(most).collect())
    }

    /// Returns what is the matter with the pool.
    pub(super) async fn health_of_pool(&self) -> Vec<StorageCondition> {
        match self.ask_pool(Instant::now() + LIMIT).await {
            Ok(findings) => findings.into_iter().map(Finding::of_storage).collect(),
            Err(message) => {
                let severity = StorageSeverity::Unreachable;
                vec![StorageCondition { severity, reason: Reason::PoolUnreachable, message }]
            }
        }
    }

    /// Returns an entry for each of these volumes that still exists, in their order, well or not.
    async fn health_of_these(&self, about: About, these: Vec<Known>) -> Result<Vec<Unwell>> {
        let deadline = Instant::now() + LIMIT;
        let of_pool = match self.ask_pool(deadline).await {
            Ok(findings) => findings,
            Err(message) => return Ok(unreachable(these, &message)),
        };
        let question = {
            let (store, these) = (Arc::clone(&self.store), these.clone());
            let freeze_limit = self.settings.freeze_limit;
            on_its_own(move || look_at(store.parent::<VolumeId>(), these, freeze_limit))
        };
        let looked = match self.questions.ask(about, deadline, question).await {
            Ok(looked) => looked?,
            Err(silence) => {
                let message = format!("pool {}: its files: {silence}", self.settings.name);
                return Ok(unreachable(these, &message));
            }
        };
        let mut found = with_file_systems(&self.questions, looked).await;
        for one in &mut found {
            let has = |reason| one.conditions.iter().any(|condition| condition.reason == reason);
            let of_pool = of_pool.iter().filter(|finding| !has(finding.reason));
            let of_pool: Vec<_> = of_pool.map(Finding::of_volume).collect();
            one.conditions.extend(of_pool);
        }
        // What was deleted while it was looked at is neither well nor unwell.
        found.retain(|one| self.volumes.has(&one.id));
        Ok(found)
    }

    /// Returns what is the matter with a pool that answers, or why it does not.
    async fn ask_pool(&self, deadline: Instant) -> std::result::Result<Vec<Finding>, String> {
        let located = self.located.clone();
        let question = on_its_own(move || pool::probe(&located));
        let name = &self.settings.name;
        match self.questions.ask(About::Pool, deadline, question).await {
            Ok(Ok(state)) => Ok(pool::findings(
                &self.settings,
                &self.ledger,
                state,
                self.pausing.admits().is_err(),
            )),
            Ok(Err(failure)) => Err(format!(
                "pool {name} cannot be read: {failure}: {}; see to its disk",
                failure.source
            )),
            Err(silence) => Err(format!("pool {name} does not answer: {silence}; see to its disk")),
        }
    }
}

/// Looks at the files of these volumes, of a pool that nobody has to own. What cannot be found out hurts the one
/// volume only.
pub(super) fn look_at(
    volumes: &Dir,
    these: Vec<Known>,
    freeze_limit: Duration,
) -> Result<Vec<Looked>> {
    let kernel = Kernel::now(volumes)?;
    let look = |(id, known)| look::at(volumes, id, known, &kernel, freeze_limit);
    Ok(these.into_iter().map(look).collect())
}

/// Asks the file systems of those that are mounted, all at once.
pub(super) async fn with_file_systems(
    questions: &Questions<About>,
    looked: Vec<Looked>,
) -> Vec<Unwell> {
    let deadline = Instant::now() + LIMIT_OF_FILE_SYSTEMS;
    let (mut asking, mut found) = (JoinSet::new(), BTreeMap::new());
    for Looked { id, conditions, mount } in looked {
        if let Some(mount) = mount {
            let (questions, id) = (questions.clone(), id.clone());
            let ask = async move {
                let at = mount.at.clone();
                let question = on_its_own(move || probe::ask_root(&mount));
                let answer = questions.ask(About::Mount(id.clone()), deadline, question).await;
                (id, look::answered(&at, answer))
            };
            asking.spawn(ask.in_current_span());
        }
        found.insert(id, conditions);
    }
    for (id, condition) in asking.join_all().await {
        found.entry(id).or_default().extend(condition);
    }
    found.into_iter().map(|(id, conditions)| Unwell { id, conditions }).collect()
}

fn unreachable(these: Vec<Known>, message: &str) -> Vec<Unwell> {
    let one = |(id, _): Known| Unwell {
        id,
        conditions: vec![Condition::inaccessible(Reason::PoolUnreachable, message)],
    };
    these.into_iter().map(one).collect()
}
