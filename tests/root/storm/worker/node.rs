//! What a worker does with its volumes on the node.

use orlop::csi::v1;
use orlop::csi::v1::node_client::NodeClient;
use orlop::sys::capability::{Capability, has};
use tonic::Code;

use super::{Slot, Worker, expect};
use crate::content;
use crate::requests::{node_expand, publish, stage, stats, unpublish, unstage};
use crate::storm::world::Kind;

impl Worker {
    pub(super) async fn stage(&mut self, slot: &Slot) {
        let (staging, _) = self.paths(slot);
        let volume_capability = Some(slot.kind.capability());
        let request =
            v1::NodeStageVolumeRequest { volume_capability, ..stage(&slot.id(), &staging) };
        let what = format!("stage {}", slot.name);
        let answer = self
            .call(&what, async |channel| {
                NodeClient::new(channel).node_stage_volume(request.clone()).await
            })
            .await;
        if self.was_stopped(slot, &answer).await {
            return;
        }
        expect(&what, &answer, self.there(slot));
        self.with(slot, |volume| volume.staged = true);
    }

    /// Publishes the volume, which must hold what it should.
    pub(in crate::storm) async fn publish(&mut self, slot: &Slot) {
        let (staging, target) = self.paths(slot);
        let volume_capability = Some(slot.kind.capability());
        let request = v1::NodePublishVolumeRequest {
            volume_capability,
            ..publish(&slot.id(), &staging, &target)
        };
        let what = format!("publish {}", slot.name);
        let answer = self
            .call(&what, async |channel| {
                NodeClient::new(channel).node_publish_volume(request.clone()).await
            })
            .await;
        if self.was_stopped(slot, &answer).await {
            return;
        }
        expect(&what, &answer, self.there(slot));
        self.with(slot, |volume| (volume.staged, volume.published) = (true, true));
        self.compare(slot).await;
    }

    /// Compares what is in the volume with what must be.
    pub(super) async fn compare(&mut self, slot: &Slot) {
        // What was not synced may be seen still in one that is stopped, and is not in it.
        if self.known(slot).is_some_and(|volume| volume.published) && !self.mend(slot).await {
            let found = content::read(&self.target(&slot.name)).await;
            self.sea.world.borrow_mut().seen(&slot.name, found);
        }
    }

    pub(super) async fn write(&mut self, slot: &Slot) {
        if !self.known(slot).is_some_and(|volume| volume.published) {
            return;
        }
        let stamp = self.sea.world.borrow_mut().fresh();
        self.with(slot, |volume| volume.begin(stamp));
        match content::write(&self.target(&slot.name), stamp).await {
            Ok(()) => drop(self.with(slot, |volume| volume.settle(stamp))),
            Err(error) => assert!(self.mend(slot).await, "write {}: {error}", slot.name),
        }
    }

    pub(in crate::storm) async fn unpublish(&mut self, slot: &Slot) {
        let (_, target) = self.paths(slot);
        let request = unpublish(&slot.id(), &target);
        let what = format!("unpublish {}", slot.name);
        let answer = self
            .call(&what, async |channel| {
                NodeClient::new(channel).node_unpublish_volume(request.clone()).await
            })
            .await;
        expect(&what, &answer, Code::Ok);
        assert!(!self.target(&slot.name).exists(), "{what}");
        self.with(slot, |volume| volume.published = false);
    }

    pub(in crate::storm) async fn unstage(&mut self, slot: &Slot) {
        let (staging, _) = self.paths(slot);
        let request = unstage(&slot.id(), &staging);
        let what = format!("unstage {}", slot.name);
        let answer = self
            .call(&what, async |channel| {
                NodeClient::new(channel).node_unstage_volume(request.clone()).await
            })
            .await;
        if self.known(slot).is_some_and(|volume| volume.published) {
            return expect(&what, &answer, Code::FailedPrecondition);
        }
        expect(&what, &answer, Code::Ok);
        self.with(slot, |volume| volume.staged = false);
    }

    pub(super) async fn stats(&mut self, slot: &Slot) {
        let (_, target) = self.paths(slot);
        let request = stats(&slot.id(), &target);
        let what = format!("statistics of {}", slot.name);
        let answer = self
            .call(&what, async |channel| {
                NodeClient::new(channel).node_get_volume_stats(request.clone()).await
            })
            .await;
        let published = self.known(slot).filter(|volume| volume.published);
        expect(&what, &answer, published.as_ref().map_or(Code::NotFound, |_| Code::Ok));
        let Some(volume) = published else { return };
        let total = answer.unwrap().usage[0].total;
        assert!(0 < total && total <= volume.size, "{what}: {total} of {}", volume.size);
    }

    /// Lets the node follow an expansion; the device, and what is in it, is as large as the volume then.
    pub(super) async fn grow(&mut self, slot: &Slot) {
        // A mounted ext4 does not grow without it; the driver says so.
        if slot.kind == Kind::Ext4 && !has(Capability::SysResource).unwrap() {
            return;
        }
        let (_, target) = self.paths(slot);
        let request = node_expand(&slot.id(), &target);
        let what = format!("grow {}", slot.name);
        let answer = self
            .call(&what, async |channel| {
                NodeClient::new(channel).node_expand_volume(request.clone()).await
            })
            .await;
        if self.was_stopped(slot, &answer).await {
            return;
        }
        let published = self.known(slot).filter(|volume| volume.published);
        expect(&what, &answer, published.as_ref().map_or(Code::NotFound, |_| Code::Ok));
        if let (Some(volume), Kind::Raw) = (published, slot.kind) {
            assert_eq!(answer.unwrap().capacity_bytes, volume.size, "{what}");
        }
    }
}
