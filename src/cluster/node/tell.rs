//! Writes to the API server: what is true of an object, and that an object has served its purpose.
//!
//! A status has one writer, and replaces what was there. What is compared before is the object's uid alone: under the
//! same name there may be another by now, which has another wish. A changed wish is no reason not to tell what was
//! true before it.

use json_patch::Patch as JsonPatch;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Shared;
use crate::cluster::objects::{Answer, Failure, Lean, Parts, Wish};
use crate::cluster::{Refused, ask};
use crate::error::Error;

impl Shared {
    /// Writes the status and lets the object be what the API server has then; returns false where it had that status.
    pub(super) async fn tell<K: Wish>(
        &self,
        object: &mut K,
        mut status: K::Status,
    ) -> Result<bool, Refused> {
        let uid = object.uid().unwrap_or_default();
        if let Some(before) = object.status() {
            keep_words(before.clone().common().error.as_ref(), status.common().error);
            if *before == status {
                return Ok(false);
            }
        }
        *object = self.replace(&object.name_any(), &uid, "/status", &status).await?;
        Ok(true)
    }

    /// Writes the status and lets the object be what the API server has then. Where the object is not what it was when
    /// it was seen, nothing is written.
    pub(super) async fn tell_unless_changed<K: Wish>(
        &self,
        object: &mut K,
        status: &K::Status,
    ) -> Result<(), Refused> {
        let (name, version) = (object.name_any(), object.resource_version());
        let as_seen = json!({ "op": "add", "path": "/metadata/resourceVersion", "value": version });
        let told = json!({ "op": "add", "path": "/status", "value": status });
        *object = self.patch_status(&name, json!([as_seen, told])).await?;
        Ok(())
    }

    /// Replaces what is at the path in the status of the object with this name and uid, and returns it as it is then.
    pub(super) async fn replace<K: Parts>(
        &self,
        name: &str,
        uid: &str,
        path: &str,
        value: &impl Serialize,
    ) -> Result<K, Refused> {
        let steps = json!([
            { "op": "test", "path": "/metadata/uid", "value": uid },
            { "op": "add", "path": path, "value": value },
        ]);
        self.patch_status(name, steps).await
    }

    async fn patch_status<K: Parts>(&self, name: &str, steps: Value) -> Result<K, Refused> {
        let doing = format!("write the status of {} {name}", K::kind(&()));
        let steps = json_patch(&doing, steps)?;
        let (api, params) = (self.api::<K>(), PatchParams::default());
        let Lean(now) = self.ask(&doing, api.patch_status(name, &params, &steps)).await?;
        Ok(now)
    }

    /// Makes the object.
    pub(super) async fn post<K: Parts + Serialize + DeserializeOwned>(
        &self,
        object: &K,
    ) -> Result<(), Refused> {
        let doing = format!("make {}", what(object));
        let api: Api<K> = Api::all(self.settings.client.clone());
        self.ask(&doing, api.create(&PostParams::default(), object)).await?;
        Ok(())
    }

    /// Removes the object: of what it wished for nothing is left.
    pub(super) async fn remove_object<K: Parts>(&self, object: &K) -> Result<(), Refused> {
        let doing = format!("delete {}", what(object));
        let preconditions = Preconditions { uid: object.uid(), resource_version: None };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        let (api, name) = (self.api::<K>(), object.name_any());
        self.ask(&doing, api.delete(&name, &params)).await?;
        Ok(())
    }

    async fn ask<T>(
        &self,
        doing: &str,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, Refused> {
        let answer = ask(doing, request).await;
        match &answer {
            Err(Refused::Error(error @ Error::Unreachable { .. })) => {
                self.link.lost(&error.sentence());
            }
            _ => self.link.heard(),
        }
        answer
    }

    fn api<K: Parts>(&self) -> Api<Lean<K>> {
        Api::all(self.settings.client.clone())
    }
}

/// Returns the object for people.
pub(super) fn what<K: Parts>(object: &K) -> String {
    format!("{} {}", K::kind(&()), object.name_any())
}

fn json_patch(doing: &str, steps: Value) -> Result<Patch<()>, Refused> {
    let patch: Result<JsonPatch, _> = serde_json::from_value(steps);
    let patch = patch.map_err(|error| Refused::Error(Error::internal(doing, error)));
    patch.map(Patch::Json)
}

/// The same failure again is no news, though its sentence may have other figures in it.
fn keep_words(before: Option<&Failure>, now: &mut Option<Failure>) {
    if let (Some(before), Some(now)) = (before, now)
        && before.code == now.code
    {
        now.message.clone_from(&before.message);
    }
}
