//! Tells how healthy the things are that this node holds: looked at now and then, and written when it has changed.
//!
//! What changes with every look, such as how much is free, is in sentences alone: they are written with the next change.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::desk::{Desk, Made};
use super::kind::Kind;
use super::{Desks, Shared};
use crate::backend::{Contents, LocalPool};
use crate::cluster::Refused;
use crate::cluster::objects::{self, conditions};
use crate::error::{Error, Result};
use crate::volume::{Condition, Reason, Timestamp};

/// How long after a look the next one is.
const BETWEEN_LOOKS: Duration = Duration::from_secs(30);

/// What was found in a pool of things of one kind.
enum Findings<K: Kind> {
    Here {
        uuid: Uuid,
        contents: Contents,
        unwell: BTreeMap<K::Id, Vec<Condition>>,
    },
    /// The pool cannot be asked.
    Silent(Error),
}

/// Looks after the health of everything, until the node stops.
pub(super) async fn look_after(shared: Arc<Shared>, desks: Desks) {
    let work = async {
        loop {
            look(&shared, &desks.volumes).await;
            look(&shared, &desks.snapshots).await;
            look(&shared, &desks.groups).await;
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    };
    tokio::select! {
        () = work => {}
        () = shared.stop.cancelled() => {}
    }
}

/// Looks at all that was ever real, and tells of each what has changed.
async fn look<K: Kind>(shared: &Shared, desk: &Arc<Desk<K>>) {
    for pool in shared.settings.pools.iter() {
        // Known before the pool is asked: what is found to be missing then was there.
        let made: Vec<_> =
            desk.made().into_iter().filter(|(_, made)| *made.pool == *pool.name).collect();
        if made.is_empty() {
            continue;
        }
        let findings = Findings::<K>::of(shared, pool).await;
        for (name, made) in made {
            let Some(found) = findings.about(&name, &made) else { continue };
            let now = conditions(&found, &made.conditions, Timestamp::now());
            if are_same(&now, &made.conditions) {
                continue;
            }
            match desk.tell_conditions(&name, &now).await {
                Ok(()) => {}
                // The others would not be written either.
                Err(Refused::Error(why @ Error::Unreachable { .. })) => {
                    tracing::debug!(why = why.sentence(), "its health is told later");
                    return;
                }
                Err(refused) => {
                    let why = Error::from(refused).sentence();
                    tracing::error!(why, "its health cannot be told");
                }
            }
        }
    }
}

/// Says whether both say the same of what is the matter, be it in other words.
pub(super) fn are_same(now: &[objects::Condition], before: &[objects::Condition]) -> bool {
    let gist =
        |one: &objects::Condition| (one.kind.clone(), one.status.clone(), one.reason.clone());
    now.iter().map(gist).eq(before.iter().map(gist))
}

// === impl Findings ===

impl<K: Kind> Findings<K> {
    async fn of(shared: &Shared, pool: &LocalPool) -> Self {
        let asked = async {
            let uuid = pool.backend.uuid()?;
            let contents = pool.backend.contents().await?;
            Result::Ok(Self::Here { uuid, contents, unwell: K::unwell(shared, pool).await? })
        };
        asked.await.unwrap_or_else(Self::Silent)
    }

    /// Returns what is the matter with the thing; nothing where that is none of this pool's business.
    fn about(&self, name: &str, made: &Made) -> Option<Vec<Condition>> {
        match self {
            Self::Silent(why) => {
                Some(vec![Condition::inaccessible(Reason::PoolUnreachable, why.sentence())])
            }
            // It was told as lost when its wish was looked at.
            Self::Here { uuid, .. } if uuid.to_string() != made.uuid => None,
            Self::Here { contents, unwell, .. } => {
                let id = name.parse().ok()?;
                if !K::is_in(contents, &id) {
                    return Some(vec![lost(&made.pool)]);
                }
                Some(unwell.get(&id).cloned().unwrap_or_default())
            }
        }
    }
}

/// Returns the condition of what is not in its pool any more.
pub(super) fn lost(pool: &str) -> Condition {
    let message = format!(
        "nothing of it is left in pool {pool}: bring its directory back, or restore a backup"
    );
    Condition::data_loss(Reason::ImageMissing, message)
}
