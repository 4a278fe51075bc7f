//! Wishes that something be removed, and waits until it is gone.

use std::sync::Arc;

use serde_json::json;

use super::Shared;
use super::kind::Kind;
use super::patience::Patience;
use super::seen::Seen;
use crate::backend::Ensured;
use crate::cluster::Refused;
use crate::error::{Error, Result};

// === impl Shared ===

impl Shared {
    /// Succeeds when the thing is gone, or when its node, which is away, finds the wish to remove it when it is back.
    ///
    /// What cannot come back is gone already, and its object goes now.
    pub(super) async fn remove<K: Kind>(&self, id: &str) -> Result<Ensured<()>> {
        let Some(object) = self.read::<K>(id).await? else { return Ok(Ensured::Found(())) };
        let seen = Seen::of(&object);
        if seen.has_failed() {
            match self.take_away(id, &seen).await {
                Err(Refused::Stale) => {}
                answer => return Ok(Ensured::Made(answer?)),
            }
        }
        // One without a status may have its data already, when it was adopted: only the node can tell.
        let Some(doomed) = self.doom::<K>(id).await? else { return Ok(Ensured::Made(())) };
        if let Some(why) = self.lost(&doomed.home, doomed.pool_uuid.as_deref()).await? {
            tracing::info!(id, why, "the data is lost: its object is deleted");
            self.put_away(id, &doomed).await?;
            return Ok(Ensured::Made(()));
        }
        self.until_gone(id, doomed).await.map(Ensured::Made)
    }

    /// Writes the wish that the thing be removed; returns nothing when it is gone.
    async fn doom<K: Kind>(&self, id: &str) -> Result<Option<Seen<K>>> {
        let doom = |object: &K| Ok((!object.is_to_be_deleted()).then(|| json!({ "delete": true })));
        unless_missing(self.change(id, doom).await)
    }

    async fn until_gone<K: Kind>(&self, id: &str, doomed: Seen<K>) -> Result<()> {
        let patience = Patience::begin();
        let mut changes = K::known(self).changes();
        let generation = doomed.generation;
        loop {
            let Some(seen) = self.still_there(id, &doomed, patience.is_over()).await? else {
                return Ok(());
            };
            if let Some(why) = seen.failure_since(generation).filter(|_| seen.is_to_be_deleted)
                && self.is_spared::<K>(id).await?
            {
                return Err(why);
            }
            if !self.is_ready(&doomed.home.node) {
                let home = &doomed.home;
                tracing::info!(id, %home, "the node is not ready: it removes the data when it is back");
                return Ok(());
            }
            if patience.is_over() {
                let seconds = Some(patience.waited().as_secs());
                return Err(Error::Pending { id: id.to_owned(), seconds });
            }
            patience.wait(changes.changed()).await;
        }
    }

    /// Returns the object, unless it is gone. What is not known, or is to be known for certain, is asked for; so is one
    /// of which only an earlier one of its name is known yet.
    async fn still_there<K: Kind>(
        &self,
        id: &str,
        doomed: &Seen<K>,
        is_to_be_certain: bool,
    ) -> Result<Option<Arc<Seen<K>>>> {
        let is_same = |seen: &Arc<Seen<K>>| seen.uid == doomed.uid;
        let known = K::known(self).get(id).filter(|known| !is_to_be_certain && is_same(known));
        match known {
            Some(known) => Ok(Some(known)),
            None => Ok(self.see(id).await?.filter(is_same)),
        }
    }

    /// Takes back the wish to remove something that its node could not, so that it is not removed later, when nobody
    /// expects it. Returns false where the node is at it after all: it has taken its answer back.
    async fn is_spared<K: Kind>(&self, id: &str) -> Result<bool> {
        let spare = |object: &K| {
            let is_refused = object.is_to_be_deleted() && object.is_refused();
            Ok(is_refused.then(|| json!({ "delete": false })))
        };
        let now = unless_missing(self.change(id, spare).await)?;
        Ok(now.is_some_and(|now| !now.is_to_be_deleted))
    }
}

/// Returns nothing for what is not there.
fn unless_missing<T>(found: Result<T>) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}
