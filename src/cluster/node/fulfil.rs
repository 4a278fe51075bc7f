//! One step towards a wish: look, compare, act, tell.
//!
//! It may be killed anywhere. Before the first thing is done that lasts, the wish is claimed; and whatever is found
//! in the pool under the id and is what is wished for counts as made, whoever made it.

mod act;
mod refuse;

use std::sync::Arc;

use uuid::Uuid;

use super::kind::Kind;
use super::tell::what;
use super::{BRING_THE_POOL_BACK, Shared, health};
use crate::cluster::Refused;
use crate::cluster::objects::{Answer, Phase, unknown};
use crate::error::Error;
use crate::volume::{Condition, Reason};

use act::At;
use refuse::{lost, out_of_reach, refuse, remove_object, wait_for_the_pool};

/// What is to come next.
#[derive(Debug)]
pub(super) enum Next {
    /// Nothing, until the wish changes.
    Nothing,
    /// The same again in a moment: somebody else is at work on it.
    Soon,
    /// The same again as soon as the API server is there, or takes what is written.
    Unheard(Error),
    /// The same again some time later: it may have become possible.
    Later,
    /// Nothing at all: the object is gone.
    Gone,
}

type Step = Result<Next, Refused>;

/// Why nothing can be done with what is in a pool.
enum Amiss {
    /// The wish cannot be fulfilled.
    Refused(Error),
    /// The pool is not there.
    Away(Error),
    /// What was there is in a pool that this node does not have now.
    OutOfReach(Condition),
    /// What was there is not in this pool.
    NotHere(Condition),
}

/// Does for the object what can be done now, and returns it as the API server has it then.
pub(super) async fn fulfil<K: Kind>(shared: Arc<Shared>, mut object: K) -> (K, Next) {
    let next = match step(&shared, &mut object).await {
        Ok(next) => next,
        Err(Refused::Missing) => Next::Gone,
        Err(other) => Next::Unheard(other.into()),
    };
    (object, next)
}

async fn step<K: Kind>(shared: &Shared, object: &mut K) -> Step {
    let at = match find_place(shared, object) {
        Ok(at) => at,
        Err(Amiss::Refused(error)) => return refuse(shared, object, error).await,
        Err(Amiss::Away(error)) => return wait_for_the_pool(shared, object, error).await,
        Err(Amiss::OutOfReach(why)) => return out_of_reach(shared, object, why).await,
        // Whatever is in this pool is something else.
        Err(Amiss::NotHere(_)) if object.is_to_be_deleted() => {
            return remove_object(shared, object).await;
        }
        Err(Amiss::NotHere(gone)) => return lost(shared, object, gone).await,
    };
    match K::find(&at.pool, &at.id).await {
        Err(error) => refuse(shared, object, error).await,
        Ok(found) if object.is_to_be_deleted() => at.delete(object, found).await,
        Ok(Some(found)) => at.adapt(object, found).await,
        Ok(None) if object.is_made() => lost(shared, object, health::lost(&at.pool.name)).await,
        Ok(None) if object.phase() == Some(Phase::Failed) && object.is_answered() => {
            Ok(Next::Nothing)
        }
        Ok(None) => at.make(object).await,
    }
}

/// Returns where the wish is to be fulfilled, if this node can.
fn find_place<'a, K: Kind>(shared: &'a Shared, object: &K) -> Result<At<'a, K>, Amiss> {
    let unknown = unknown(object.requires()).join(", ");
    if !unknown.is_empty() {
        let what = what(object);
        let what = format!("what {what} requires ({unknown}), which this Orlop does not know,");
        return Err(Amiss::Refused(Error::Unsupported { what }));
    }
    let id = object.id().map_err(Amiss::Refused)?;
    let home = object.home();
    let Some(pool) = shared.pool(&home).cloned() else {
        let (node, pool) = (&home.node, &home.pool);
        let reason = format!("node {node} has no pool {pool} in its config: {BRING_THE_POOL_BACK}");
        return Err(if object.is_made() && !object.is_to_be_deleted() {
            Amiss::OutOfReach(Condition::inaccessible(Reason::PoolUnreachable, reason))
        } else {
            Amiss::Refused(K::elsewhere(reason))
        });
    };
    let uuid = pool.backend.uuid().map_err(Amiss::Away)?;
    if !is_of_the_pool_with(object, uuid) {
        let reason = format!(
            "it was in another pool {}, in whose place this one is: bring that one back",
            home.pool
        );
        return Err(Amiss::NotHere(Condition::data_loss(Reason::ImageMissing, reason)));
    }
    Ok(At { shared, pool, uuid, id })
}

/// Says whether the object is of this pool, as far as it was ever in one.
fn is_of_the_pool_with<K: Kind>(object: &K, uuid: Uuid) -> bool {
    let its = object.status().and_then(Answer::pool_uuid);
    its.is_none_or(|its| its == uuid.to_string())
}
