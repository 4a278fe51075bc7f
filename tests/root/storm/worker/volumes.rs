//! What a worker asks about its volumes as such.

use orlop::csi::v1;
use orlop::csi::v1::controller_client::ControllerClient;
use tonic::Code;

use super::copies::Visit;
use super::{Slot, Worker, bytes, code, expect};
use crate::driver::NODE;
use crate::requests::{at_least, attach, delete, detach, expand, modify};
use crate::storm::world::Volume;

impl Worker {
    /// Makes the volume of this request, and says what the answer must be when it is there already.
    pub(super) async fn make(
        &mut self,
        slot: &Slot,
        wish: v1::CreateVolumeRequest,
        source: Option<String>,
        cloned: Option<&Visit>,
    ) -> Option<v1::Volume> {
        let what = format!("create {}", slot.name);
        let asked = wish.capacity_range.as_ref().map(|range| range.required_bytes);
        let answer = self
            .call(&what, async |channel| {
                ControllerClient::new(channel).create_volume(wish.clone()).await
            })
            .await;
        let stopped = cloned.is_some_and(|visit| self.cannot_be_copied(visit));
        if stopped && code(&answer) == Code::FailedPrecondition {
            return None;
        }
        if let Some(found) = self.known(slot) {
            let fits = asked.is_none_or(|asked| found.size >= asked) || found.asked == asked;
            let same = found.source == source && fits;
            expect(&what, &answer, if same { Code::Ok } else { Code::AlreadyExists });
            return None;
        }
        expect(&what, &answer, Code::Ok);
        let made = answer.unwrap().volume.unwrap();
        assert_eq!(made.volume_id, slot.id());
        assert!(asked.is_none_or(|asked| made.capacity_bytes == asked), "{what}: {made:?}");
        Some(made)
    }

    pub(super) fn add(&self, slot: &Slot, made: &v1::Volume, volume: Volume) {
        let volume = Volume { size: made.capacity_bytes, most: made.capacity_bytes, ..volume };
        self.sea.world.borrow_mut().volumes.insert(slot.name.clone(), volume);
    }

    pub(super) async fn create(&mut self, slot: &Slot) {
        let size = bytes(self.dice.below(4));
        let wish = v1::CreateVolumeRequest { capacity_range: at_least(size), ..self.wish(slot) };
        if let Some(made) = self.make(slot, wish, None, None).await {
            let volume = Volume::new(slot.kind, self.pool(), size, vec![0]);
            self.add(slot, &made, Volume { asked: Some(size), ..volume });
        }
    }

    pub(in crate::storm) async fn delete(&mut self, slot: &Slot) {
        let found = self.known(slot);
        if found.as_ref().is_some_and(|found| found.guests > 0) {
            return;
        }
        let in_use = found.is_some_and(|found| found.staged || found.published);
        self.with(slot, |volume| volume.going = !in_use);
        let what = format!("delete {}", slot.name);
        let request = delete(&slot.id());
        let answer = self
            .call(&what, async |channel| {
                ControllerClient::new(channel).delete_volume(request.clone()).await
            })
            .await;
        expect(&what, &answer, if in_use { Code::FailedPrecondition } else { Code::Ok });
        if !in_use {
            self.sea.world.borrow_mut().volumes.remove(&slot.name);
        }
    }

    pub(super) async fn expand(&mut self, slot: &Slot) {
        let size = bytes(self.dice.below(8));
        self.with(slot, |volume| volume.most = volume.most.max(size));
        let what = format!("expand {} to {size}", slot.name);
        let request = expand(&slot.id(), size);
        let answer = self
            .call(&what, async |channel| {
                ControllerClient::new(channel).controller_expand_volume(request.clone()).await
            })
            .await;
        let Some(most) = self.known(slot).map(|volume| volume.most) else {
            return expect(&what, &answer, Code::NotFound);
        };
        expect(&what, &answer, Code::Ok);
        assert_eq!(answer.unwrap().capacity_bytes, most, "{what}");
        self.with(slot, |volume| volume.size = most);
    }

    pub(super) async fn modify(&mut self, slot: &Slot) {
        // Far more than anything in here does, so that nobody is slowed down.
        let limit = ["0", "1G", "2G"][self.dice.below(3)];
        let request = modify(&slot.id(), &[("writeBytesPerSecond", limit)]);
        let what = format!("limit {}", slot.name);
        let answer = self
            .call(&what, async |channel| {
                ControllerClient::new(channel).controller_modify_volume(request.clone()).await
            })
            .await;
        expect(&what, &answer, self.there(slot));
    }

    pub(super) async fn attach(&mut self, slot: &Slot) {
        let volume_capability = Some(slot.kind.capability());
        let request =
            v1::ControllerPublishVolumeRequest { volume_capability, ..attach(&slot.id(), NODE) };
        let what = format!("attach {}", slot.name);
        let answer = self
            .call(&what, async |channel| {
                ControllerClient::new(channel).controller_publish_volume(request.clone()).await
            })
            .await;
        expect(&what, &answer, self.there(slot));
    }

    pub(in crate::storm) async fn detach(&mut self, slot: &Slot) {
        let request = detach(&slot.id(), NODE);
        let what = format!("detach {}", slot.name);
        let answer = self
            .call(&what, async |channel| {
                ControllerClient::new(channel).controller_unpublish_volume(request.clone()).await
            })
            .await;
        expect(&what, &answer, Code::Ok);
    }

    pub(super) async fn validate(&mut self, slot: &Slot) {
        let request = v1::ValidateVolumeCapabilitiesRequest {
            volume_id: slot.id(),
            volume_capabilities: vec![slot.kind.capability()],
            ..v1::ValidateVolumeCapabilitiesRequest::default()
        };
        let what = format!("validate {}", slot.name);
        let answer = self
            .call(&what, async |channel| {
                ControllerClient::new(channel).validate_volume_capabilities(request.clone()).await
            })
            .await;
        expect(&what, &answer, self.there(slot));
        assert!(answer.is_err() || answer.unwrap().confirmed.is_some(), "{what}");
    }

    /// A volume that nothing is the matter with is well, whatever has just died; that limits bind nobody is no lie.
    pub(super) async fn look(&mut self, slot: &Slot) {
        let request =
            v1::ControllerGetVolumeHealthRequest { volume_id: slot.id(), ..<_>::default() };
        let what = format!("health of {}", slot.name);
        let answer = self
            .call(&what, async |channel| {
                ControllerClient::new(channel).controller_get_volume_health(request.clone()).await
            })
            .await;
        expect(&what, &answer, self.there(slot));
        let health = answer.ok().and_then(|answer| answer.volume_health).unwrap_or_default();
        let bad: Vec<_> =
            health.health_statuses.iter().filter(|one| one.reason != "LimitsNotEnforced").collect();
        assert!(bad.is_empty() || self.mend(slot).await, "{what}: {bad:?}");
    }

    /// All that the worker has is listed, with its size, and nothing of its own that it has not.
    pub(super) async fn list(&mut self) {
        let request = v1::ListVolumesRequest::default();
        let answer = self
            .call("list", async |channel| {
                ControllerClient::new(channel).list_volumes(request.clone()).await
            })
            .await;
        let entries = answer.unwrap().entries.into_iter().map(|entry| entry.volume.unwrap());
        let listed: Vec<_> = entries.map(|one| (one.volume_id, one.capacity_bytes)).collect();
        for slot in self.slots() {
            let size = self.known(&slot).map(|volume| volume.size);
            let found = listed.iter().find(|(id, _)| *id == slot.id()).map(|(_, size)| *size);
            assert_eq!(found, size, "{} in the list", slot.name);
        }
    }

    pub(super) fn there(&self, slot: &Slot) -> Code {
        self.known(slot).map_or(Code::NotFound, |_| Code::Ok)
    }
}
