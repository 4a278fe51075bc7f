//! The volumes of a pool that is elsewhere.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::change::pending;
use super::patience::Patience;
use super::remote::Remote;
use super::seen::Seen;
use crate::backend::{Backend, Capacity, Ensured, Groups, Snapshots};
use crate::cluster::objects::{self, Feature, Wish};
use crate::error::{Error, Result};
use crate::volume::{Attachment, Bytes, Content, Limits, NewVolume, Volume, VolumeId};

type Object = objects::Volume;

#[async_trait]
impl Backend for Remote {
    fn least_size(&self, content: Content) -> Bytes {
        self.shared.least(&self.home, content)
    }

    async fn create(&self, wanted: &NewVolume) -> Result<Ensured<Volume>> {
        if let Some(spoken) = &self.spoken {
            spoken.is_for(&wanted.id, wanted.size);
            self.has_room(wanted)?;
        }
        self.shared.fulfil(Object::wish(wanted, &self.home)).await
    }

    async fn delete(&self, id: &VolumeId) -> Result<Ensured<()>> {
        self.shared.remove::<Object>(id.as_str()).await
    }

    async fn find(&self, id: &VolumeId) -> Result<Option<Volume>> {
        let seen = self.shared.look::<Object>(id.as_str()).await?;
        Ok(seen.filter(|seen| seen.home == self.home).and_then(|seen| seen.made().cloned()))
    }

    async fn list(&self, after: Option<&VolumeId>, most: usize) -> Result<Vec<Volume>> {
        let here = |seen: &Seen<Object>| seen.made().filter(|_| seen.home == self.home).cloned();
        let after = after.map(VolumeId::as_str);
        Ok(self.shared.volumes.some(after, most, |_, seen| here(seen)))
    }

    /// A wish that cannot be fulfilled is taken back before that is said.
    async fn expand(&self, id: &VolumeId, size: Bytes) -> Result<Volume> {
        let grow =
            |object: &Object| Ok((object.spec.bytes < size).then(|| json!({ "bytes": size })));
        let take_back = |object: &Object| {
            let has = object.status.as_ref().and_then(|status| status.bytes);
            Ok(has.filter(|has| *has < object.spec.bytes).map(|has| json!({ "bytes": has })))
        };
        let wished = self.wish(id, grow).await?;
        self.until(id, &wished, |volume| volume.size >= size, take_back).await
    }

    async fn set_limits(&self, id: &VolumeId, limits: Limits) -> Result<()> {
        let limit = |object: &Object| {
            Ok((object.limits() != limits).then(|| json!({ "limits": replaced(limits) })))
        };
        let take_back = |object: &Object| {
            let has = object.status.as_ref().and_then(|status| status.limits);
            let has = has.unwrap_or_default().into();
            Ok((object.limits() != has).then(|| json!({ "limits": replaced(has) })))
        };
        let wished = self.wish(id, limit).await?;
        self.until(id, &wished, |volume| volume.limits == limits, take_back).await.map(drop)
    }

    /// The object itself is the record, and no node has to do anything about it. What is changed is what was found:
    /// whoever has changed it meanwhile was not seen by the caller.
    async fn set_attachments(&self, id: &VolumeId, attachments: &[Attachment]) -> Result<()> {
        let known = self.shared.look::<Object>(id.as_str()).await?;
        let found = known.and_then(|seen| Some(seen.made()?.attachments.clone()));
        let attach = |object: &Object| {
            let has = object.attachments()?;
            if has == attachments {
                return Ok(None);
            }
            if found.as_ref().is_some_and(|found| *found != has) {
                return Err(pending(id.as_str()));
            }
            let all: Vec<_> = attachments.iter().map(objects::Attachment::of).collect();
            Ok(Some(json!({ "attachments": all })))
        };
        let written = self.wish(id, attach).await?;
        self.until_known(id, &written).await
    }

    async fn capacity(&self, content: Content) -> Result<Capacity> {
        self.shared.room(&self.home, None, content).ok_or_else(|| self.is_silent())
    }

    fn snapshots(&self) -> Option<&dyn Snapshots> {
        self.may_have(Feature::Snapshots).then_some(self)
    }

    fn groups(&self) -> Option<&dyn Groups> {
        self.may_have(Feature::GroupSnapshots).then_some(self)
    }
}

// === impl Remote ===

impl Remote {
    /// Checks that the volume fits now that its size is known. The node has the last word; but what it must refuse is
    /// better not asked of it.
    fn has_room(&self, wanted: &NewVolume) -> Result<()> {
        let room = self.shared.room(&self.home, Some(&wanted.id), wanted.content);
        let free = room.ok_or_else(|| self.is_silent())?.largest;
        if wanted.size <= free {
            return Ok(());
        }
        Err(Error::Exhausted { place: self.home.to_string(), asked: wanted.size, free })
    }

    fn is_silent(&self) -> Error {
        Error::Elsewhere { reason: format!("{} is not there any more", self.home) }
    }

    /// Returns the error of a call that cannot wait any longer; the wish stays.
    fn unanswered(&self, id: &VolumeId, patience: &Patience, is_ready: bool) -> Error {
        if is_ready {
            let seconds = Some(patience.waited().as_secs());
            return Error::Pending { id: id.to_string(), seconds };
        }
        Error::Unreachable {
            peer: format!("node {}", self.home.node),
            source: format!("it is not ready, and does to {id} what is wished when it is back")
                .into(),
        }
    }

    /// Changes the wish for a volume that is there.
    async fn wish(
        &self,
        id: &VolumeId,
        change: impl Fn(&Object) -> Result<Option<Value>> + Send + Sync,
    ) -> Result<Seen<Object>> {
        let change = |object: &Object| {
            // What is about to go is not worth a change, and one that is not there yet has none.
            if object.is_to_be_deleted() || object.made()?.is_none() {
                return Err(pending(id.as_str()));
            }
            change(object)
        };
        self.shared.change(id.as_str(), change).await
    }

    /// Waits until the volume is as wished. An error of the node is final, so the wish is taken back before it is told.
    async fn until(
        &self,
        id: &VolumeId,
        wished: &Seen<Object>,
        is_done: impl Fn(&Volume) -> bool + Send + Sync,
        take_back: impl Fn(&Object) -> Result<Option<Value>> + Send + Sync,
    ) -> Result<Volume> {
        let shared = &self.shared;
        let patience = Patience::begin();
        let mut changes = shared.volumes.changes();
        loop {
            let found = if patience.is_over() {
                shared.see::<Object>(id.as_str()).await?
            } else {
                shared.look(id.as_str()).await?
            };
            let seen = found.ok_or_else(|| Error::no_volume(id))?;
            if seen.uid != wished.uid {
                return Err(pending(id.as_str()));
            }
            if let Some(volume) = seen.made().filter(|volume| is_done(volume)) {
                return Ok(volume.clone());
            }
            if let Some(why) = seen.failure_since(wished.generation) {
                shared.change(id.as_str(), take_back).await?;
                return Err(why);
            }
            let is_ready = shared.is_ready(&self.home.node);
            if patience.is_over_for_a_node(is_ready) {
                return Err(self.unanswered(id, &patience, is_ready));
            }
            patience.wait(changes.changed()).await;
        }
    }

    async fn until_known(&self, id: &VolumeId, written: &Seen<Object>) -> Result<()> {
        let patience = Patience::begin();
        let mut changes = self.shared.volumes.changes();
        while !patience.is_over() {
            match self.shared.volumes.get(id.as_str()) {
                Some(known) if written.is_later_than(&known) => {}
                _ => return Ok(()),
            }
            patience.wait(changes.changed()).await;
        }
        Ok(())
    }
}

/// Returns the limits as they replace all others: a merge leaves what is not named.
fn replaced(limits: Limits) -> Value {
    let mut all = json!({
        "readIOPS": null, "writeIOPS": null, "readBytesPerSecond": null, "writeBytesPerSecond": null,
    });
    if let (Some(all), Value::Object(named)) =
        (all.as_object_mut(), json!(objects::Limits::of(limits)))
    {
        all.extend(named);
    }
    all
}
