//! Reads an object as it is now, changes it, and takes it away: only what is still as it was read is changed.

use std::sync::Arc;

use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use serde_json::{Value, json};

use super::Shared;
use super::kind::Kind;
use super::seen::Seen;
use crate::cluster::{Refused, ask};
use crate::error::{Error, Result};

/// How often somebody else may be faster: a node writes a few times for each wish, and another controller answers the
/// same call at most once.
const ATTEMPTS: usize = 8;

// === impl Shared ===

impl Shared {
    /// Returns the object as it is now, or nothing when there is none.
    pub(super) async fn read<K: Kind>(&self, id: &str) -> Result<Option<K>> {
        Refused::missing(ask(&doing::<K>("read", id), self.api::<K>().get(id)).await)
    }

    /// Returns the object as it is known. One that is not known is asked for: another controller may have made it.
    pub(super) async fn look<K: Kind>(&self, id: &str) -> Result<Option<Arc<Seen<K>>>> {
        match K::known(self).get(id) {
            Some(known) => Ok(Some(known)),
            None => self.see(id).await,
        }
    }

    /// Returns the object as it is now: what is known may be old.
    pub(super) async fn see<K: Kind>(&self, id: &str) -> Result<Option<Arc<Seen<K>>>> {
        Ok(self.read::<K>(id).await?.map(|object| Arc::new(Seen::of(&object))))
    }

    /// Changes the wish as the function says, which is asked again when somebody else was faster; it may say that there
    /// is nothing to change. A key that is to go is null.
    pub(super) async fn change<K: Kind>(
        &self,
        id: &str,
        decide: impl Fn(&K) -> Result<Option<Value>> + Send + Sync,
    ) -> Result<Seen<K>> {
        let missing = || Error::NotFound { what: K::NOUN, id: id.to_owned() };
        for _ in 0..ATTEMPTS {
            let object = self.read::<K>(id).await?.ok_or_else(missing)?;
            let Some(spec) = decide(&object)? else { return Ok(Seen::of(&object)) };
            let metadata = json!({
                "uid": object.uid(), "resourceVersion": object.resource_version(),
            });
            let patch = Patch::Merge(json!({ "metadata": metadata, "spec": spec }));
            let (api, how) = (self.api::<K>(), PatchParams::default());
            let changed = api.patch(id, &how, &patch);
            match ask(&doing::<K>("change", id), changed).await {
                Err(Refused::Stale) => {}
                answer => {
                    return Ok(Seen::of(&Refused::missing(answer)?.ok_or_else(missing)?));
                }
            }
        }
        Err(pending(id))
    }

    /// Takes away the object of something that will never be there again. One that is not as it was seen any more is
    /// somebody else's business for now.
    pub(super) async fn put_away<K: Kind>(&self, id: &str, seen: &Seen<K>) -> Result<()> {
        match self.take_away(id, seen).await {
            Err(Refused::Stale) => Err(pending(id)),
            answer => Ok(answer?),
        }
    }

    /// Takes the object away, if it is still as it was seen.
    pub(super) async fn take_away<K: Kind>(
        &self,
        id: &str,
        seen: &Seen<K>,
    ) -> std::result::Result<(), Refused> {
        let preconditions = Preconditions {
            uid: Some(seen.uid.to_string()),
            resource_version: Some(seen.version.to_string()),
        };
        let how = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        let gone = ask(&doing::<K>("delete", id), self.api::<K>().delete(id, &how)).await;
        match gone {
            Ok(_) | Err(Refused::Missing) => Ok(()),
            Err(other) => Err(other),
        }
    }
}

/// Says what a request to the API server is for.
pub(super) fn doing<K: Kind>(verb: &str, id: &str) -> String {
    format!("{verb} {} {id}", K::kind(&()))
}

/// Returns the error of a call that meets another one, or what is left of it.
pub(super) fn pending(id: &str) -> Error {
    Error::Pending { id: id.to_owned(), seconds: None }
}
