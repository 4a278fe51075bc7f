//! What is told where a wish cannot be fulfilled, and whether it is tried again.

use super::{Next, Step};
use crate::cluster::Refused;
use crate::cluster::node::Shared;
use crate::cluster::node::kind::Kind;
use crate::cluster::node::tell::what;
use crate::cluster::objects::{Answer, Failure, Phase, conditions};
use crate::error::{Error, Meaning};
use crate::volume::{Condition, Timestamp};

/// What comes of a wish that cannot be fulfilled now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// It has failed for good: nothing is there of what was to be made.
    Failed,
    /// It goes on: something may be there, made by a driver that was killed before it could tell.
    Begun,
    /// What is there stays as it is.
    Kept,
}

/// Tells why the wish cannot be fulfilled. What nobody has begun to make has failed for good with that.
pub(super) async fn refuse<K: Kind>(shared: &Shared, object: &mut K, error: Error) -> Step {
    let end = match object.phase() {
        _ if object.is_made() || object.is_to_be_deleted() => End::Kept,
        None | Some(Phase::Failed) => End::Failed,
        Some(Phase::Making | Phase::Ready | Phase::Other) => End::Begun,
    };
    tell_why(shared, object, error, end).await
}

/// Tells why the wish cannot be fulfilled, where nothing is there of it. What was to be made has failed for good with that.
pub(super) async fn fail<K: Kind>(shared: &Shared, object: &mut K, error: Error) -> Step {
    let end = if object.is_made() { End::Kept } else { End::Failed };
    tell_why(shared, object, error, end).await
}

async fn tell_why<K: Kind>(shared: &Shared, object: &mut K, error: Error, end: End) -> Step {
    match error.meaning() {
        Meaning::Pending => return Ok(Next::Soon),
        Meaning::Unreachable => return Ok(Next::Later),
        Meaning::Invalid
        | Meaning::NotFound
        | Meaning::Differs
        | Meaning::OutOfRange
        | Meaning::Exhausted
        | Meaning::Elsewhere
        | Meaning::TooManyAttached
        | Meaning::InUse
        | Meaning::Unfit
        | Meaning::Forbidden
        | Meaning::Unauthenticated
        | Meaning::BadToken
        | Meaning::Unsupported
        | Meaning::Absent
        | Meaning::Internal => {}
    }
    let mut status = object.status().cloned().unwrap_or_default();
    let common = status.common();
    if end == End::Failed {
        *common.phase = Some(Phase::Failed);
    }
    *common.observed_generation = object.meta().generation;
    *common.error = Some(Failure::from(&error));
    if shared.tell(object, status).await? {
        tracing::info!(why = error.sentence(), "{} is not as wished", what(object));
    }
    Ok(match end {
        End::Failed => Next::Nothing,
        End::Begun => Next::Later,
        End::Kept => again(&error),
    })
}

/// Tells that nothing is there of what was there. It is never made again: that would hide what was lost.
pub(super) async fn lost<K: Kind>(shared: &Shared, object: &mut K, lost: Condition) -> Step {
    if is_news(shared, object, lost).await? {
        tracing::error!("{} is lost", what(object));
    }
    Ok(Next::Nothing)
}

/// Tells that nobody gets at what is there, as long as this node does not have the pool.
pub(super) async fn out_of_reach<K: Kind>(shared: &Shared, object: &mut K, why: Condition) -> Step {
    let sentence = why.message.clone();
    if is_news(shared, object, why).await? {
        tracing::error!(why = sentence, "{} is out of reach", what(object));
    }
    Ok(Next::Nothing)
}

/// Tells what is the matter with what was there, and returns whether that is news.
async fn is_news<K: Kind>(
    shared: &Shared,
    object: &mut K,
    matter: Condition,
) -> Result<bool, Refused> {
    let mut status = object.status().cloned().unwrap_or_default();
    let error = Failure::from(&Error::unfit(matter.message.clone()));
    let told = conditions(&[matter], status.conditions(), Timestamp::now());
    let common = status.common();
    *common.conditions = told;
    *common.observed_generation = object.meta().generation;
    *common.error = Some(error);
    shared.tell(object, status).await
}

/// A pool that is not there may come, and nobody knows what is in it until then.
pub(super) async fn wait_for_the_pool<K: Kind>(
    shared: &Shared,
    object: &mut K,
    absent: Error,
) -> Step {
    if object.is_made() && object.is_answered() {
        return Ok(Next::Later);
    }
    refuse(shared, object, absent).await
}

/// Removes the object, of whose data nothing is left here.
pub(super) async fn remove_object<K: Kind>(shared: &Shared, object: &K) -> Step {
    match shared.remove_object(object).await {
        // Another one has its name by now.
        Ok(()) | Err(Refused::Stale) => Ok(Next::Gone),
        Err(other) => Err(other),
    }
}

/// Returns what comes after an error that was told: the same again where that can help.
pub(super) fn again(error: &Error) -> Next {
    match error.meaning() {
        Meaning::Pending => Next::Soon,
        Meaning::InUse
        | Meaning::Exhausted
        | Meaning::Absent
        | Meaning::Unreachable
        | Meaning::TooManyAttached
        | Meaning::Internal
        // A record that cannot be read may be put right.
        | Meaning::Unfit => Next::Later,
        Meaning::Invalid
        | Meaning::NotFound
        | Meaning::Differs
        | Meaning::OutOfRange
        | Meaning::Elsewhere
        | Meaning::Forbidden
        | Meaning::Unauthenticated
        | Meaning::BadToken
        | Meaning::Unsupported => Next::Nothing,
    }
}
