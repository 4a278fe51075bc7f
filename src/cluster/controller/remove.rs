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
        if seen.is_nothing() {
            match self.take_away(id, &seen).await {
                // A node was faster: it has just begun.
                Err(Refused::Stale) => {}
                answer => return Ok(Ensured::Made(answer?)),
            }
        }
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
            if let Some(why) = seen.failure_since(generation).filter(|_| seen.is_to_be_deleted) {
                return self.spare::<K>(id, why).await;
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

    /// Returns the object, unless it is gone. What is not known, or is to be known for certain, is asked for.
    async fn still_there<K: Kind>(
        &self,
        id: &str,
        doomed: &Seen<K>,
        is_to_be_certain: bool,
    ) -> Result<Option<Arc<Seen<K>>>> {
        let seen = if is_to_be_certain { self.see(id).await? } else { self.look(id).await? };
        Ok(seen.filter(|seen| seen.uid == doomed.uid))
    }

    /// Takes back the wish to remove something that its node could not, so that it is not removed later, when nobody
    /// expects it; then this is the answer.
    async fn spare<K: Kind>(&self, id: &str, why: Error) -> Result<()> {
        let spare = |object: &K| Ok(object.is_to_be_deleted().then(|| json!({ "delete": false })));
        match unless_missing(self.change(id, spare).await)? {
            Some(_) => Err(why),
            // It was removed after all.
            None => Ok(()),
        }
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
