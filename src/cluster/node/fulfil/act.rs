//! What is done in the pool: made, changed and removed, each under the lock that the RPCs take, too.

use uuid::Uuid;

use super::refuse::{again, fail, refuse, remove_object};
use super::{Next, Step};
use crate::backend::LocalPool;
use crate::cluster::Refused;
use crate::cluster::node::Shared;
use crate::cluster::node::kind::Kind;
use crate::cluster::node::tell::what;
use crate::cluster::objects::{Answer, Failure, Phase, conditions};
use crate::error::{Error, Meaning, Result};
use crate::fault;
use crate::locks::Guard;
use crate::volume::Timestamp;

/// Where something is, or is to be.
pub(super) struct At<'a, K: Kind> {
    pub(super) shared: &'a Shared,
    pub(super) pool: LocalPool,
    pub(super) uuid: Uuid,
    pub(super) id: K::Id,
}

// === impl At ===

impl<K: Kind> At<'_, K> {
    /// Makes what is not there, and tells what became of it.
    pub(super) async fn make(&self, object: &mut K) -> Step {
        if let Err(error) = object.check(&self.pool) {
            return fail(self.shared, object, error).await;
        }
        self.claim(object).await?;
        fault::point("node: claimed");
        match self.made(object).await {
            Ok(made) => {
                fault::point("node: made");
                tracing::info!("{} is made in pool {}", what(object), self.pool.name);
                self.adapt(object, made).await
            }
            // Some of it may have gone well.
            Err(error) => match K::find(&self.pool, &self.id).await {
                Ok(None) => fail(self.shared, object, error).await,
                Ok(Some(_)) | Err(_) => refuse(self.shared, object, error).await,
            },
        }
    }

    /// Says that this node has begun, so that nobody takes the wish back for one that was not seen.
    async fn claim(&self, object: &mut K) -> std::result::Result<(), Refused> {
        let mut status = object.status().cloned().unwrap_or_default();
        let common = status.common();
        *common.phase = Some(Phase::Making);
        *common.observed_generation = object.meta().generation;
        *common.error = None;
        self.shared.tell(object, status).await?;
        Ok(())
    }

    async fn made(&self, object: &K) -> Result<K::Made> {
        let _room = self.shared.room.acquire().await;
        let _guards = self.locked(object)?;
        object.make(&self.pool).await
    }

    /// Reserves the id and all that it is made from.
    fn locked(&self, object: &K) -> Result<Vec<Guard>> {
        let locks = &self.shared.settings.locks;
        let mut guards = vec![locks.try_lock(&self.id)?];
        for source in object.sources()? {
            guards.push(locks.try_lock(&source)?);
        }
        Ok(guards)
    }

    /// Lets what there is be as it is wished, and tells what is true then.
    pub(super) async fn adapt(&self, object: &mut K, found: K::Made) -> Step {
        let changed = match object.recognize(&found) {
            Ok(()) => self.change(object, found).await,
            // What is there is something else.
            Err(differs @ Error::Differs { .. }) => {
                return fail(self.shared, object, differs).await;
            }
            Err(unreadable) => Err(unreadable),
        };
        let (found, failed) = match changed {
            Ok(both) => both,
            Err(error) => return refuse(self.shared, object, error).await,
        };
        let mut status = K::ready(&found, self.uuid);
        let before = object.status().map(|status| status.conditions().to_vec());
        let common = status.common();
        *common.conditions = before
            .filter(|conditions| !conditions.is_empty())
            .unwrap_or_else(|| conditions(&[], &[], Timestamp::now()));
        *common.observed_generation = object.meta().generation;
        *common.error = failed.as_ref().map(Failure::from);
        let is_news = self.shared.tell(object, status).await?;
        fault::point("node: told");
        if let Some(why) = failed.as_ref().filter(|_| is_news) {
            tracing::info!(why = why.sentence(), "{} is not as wished", what(object));
        }
        Ok(failed.as_ref().map_or(Next::Nothing, again))
    }

    /// Changes what there is to what is wished, and returns how it is then, and what could not be done.
    async fn change(&self, object: &K, found: K::Made) -> Result<(K::Made, Option<Error>)> {
        if !object.needs_change(&found)? {
            return Ok((found, None));
        }
        let _room = self.shared.room.acquire().await;
        let _guard = self.shared.settings.locks.try_lock(&self.id)?;
        let changed = object.change(self.shared, &self.pool, &found).await;
        fault::point("node: changed");
        match changed {
            Err(error) if is_of_the_moment(&error) => Err(error),
            changed => {
                let now = K::find(&self.pool, &self.id).await?.unwrap_or(found);
                Ok((now, changed.err()))
            }
        }
    }

    /// Removes what is there, if it is what the object stands for, and then the object.
    pub(super) async fn delete(&self, object: &mut K, found: Option<K::Made>) -> Step {
        // What a wish never became is not its to remove.
        let found = found.filter(|_| object.phase() != Some(Phase::Failed));
        let removed = match found.map(|found| object.recognize(&found)) {
            Some(Ok(())) => {
                if object.is_refused() && !self.takes_back(object).await? {
                    return Ok(Next::Later);
                }
                self.remove(object).await
            }
            Some(Err(differs)) if object.is_made() => Err(differs),
            Some(Err(_)) | None => Ok(()),
        };
        match removed {
            Ok(()) => remove_object(self.shared, object).await,
            Err(error) => refuse(self.shared, object, error).await,
        }
    }

    /// Takes back the answer that it cannot be removed, before it is tried again; returns false where nothing has
    /// changed about that.
    ///
    /// The controller may be about to take the wish back for that answer, and to tell its caller that nothing was
    /// removed. Of the two writes only the first is taken.
    async fn takes_back(&self, object: &mut K) -> std::result::Result<bool, Refused> {
        if K::is_held(&self.pool, &self.id).await {
            return Ok(false);
        }
        let mut status = object.status().cloned().unwrap_or_default();
        *status.common().error = None;
        self.shared.tell_unless_changed(object, &status).await?;
        fault::point("node: taken back");
        Ok(true)
    }

    async fn remove(&self, object: &K) -> Result<()> {
        let _room = self.shared.room.acquire().await;
        let _guard = self.shared.settings.locks.try_lock(&self.id)?;
        K::remove(&self.pool, &self.id).await?;
        fault::point("node: removed");
        tracing::info!("{} is removed from pool {}", what(object), self.pool.name);
        Ok(())
    }
}

/// Says whether the same may be without this error in a moment.
fn is_of_the_moment(error: &Error) -> bool {
    matches!(error.meaning(), Meaning::Pending | Meaning::Unreachable)
}
