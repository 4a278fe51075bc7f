//! One of those that work at once: it owns its volumes and snapshots, and knows what must be in them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use orlop::csi::v1;
use orlop::csi::v1::controller_client::ControllerClient;
use orlop::csi::v1::node_client::NodeClient;
use orlop::csi::v1::volume_capability::access_mode::Mode;
use orlop::volume::TOPOLOGY_KEY;
use tonic::{Code, Request, Status};

use super::fleet::Fleet;
use crate::content::{self, Stamp};
use crate::controller::stage::within;
use crate::dice::Dice;
use crate::requests::{self, MIB};
use crate::rig::Mounts;

const VOLUMES: usize = 3;
const SNAPSHOTS: usize = 2;

/// How long a caller waits for one answer.
const SECONDS: u64 = 6;

/// What a volume holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ext4,
    Raw,
}

/// A volume, as its owner was told of it.
#[derive(Debug, Clone)]
struct Volume {
    id: String,
    node: String,
    asked: v1::CreateVolumeRequest,
    kind: Kind,
    size: i64,
    staged: bool,
    published: bool,
    stamp: Stamp,
}

/// A snapshot, as its owner was told of it.
#[derive(Debug, Clone)]
struct Cut {
    id: String,
    node: String,
    kind: Kind,
    size: i64,
    stamp: Stamp,
}

/// A worker, and what is its own.
pub(super) struct Worker<'a> {
    fleet: &'a Fleet,
    number: usize,
    dice: Dice,
    last: u64,
    volumes: BTreeMap<usize, Volume>,
    cuts: BTreeMap<usize, Cut>,
}

// === impl Kind ===

impl Kind {
    fn of(slot: usize) -> Self {
        if slot.is_multiple_of(2) { Self::Ext4 } else { Self::Raw }
    }

    fn capability(self) -> v1::VolumeCapability {
        match self {
            Self::Ext4 => requests::file_system("ext4", Mode::SingleNodeWriter),
            Self::Raw => requests::block(),
        }
    }
}

// === impl Worker ===

impl<'a> Worker<'a> {
    pub(super) fn new(fleet: &'a Fleet, number: usize, dice: Dice) -> Self {
        let (volumes, cuts) = (BTreeMap::new(), BTreeMap::new());
        Self { fleet, number, dice, last: 0, volumes, cuts }
    }

    /// Works until all operations are done.
    pub(super) async fn work(&mut self) {
        while self.fleet.goes_on() {
            let (slot, cut) = (self.dice.below(VOLUMES), self.dice.below(SNAPSHOTS));
            match self.dice.below(20) {
                _ if self.volumes.is_empty() => self.create(slot).await,
                0..5 => self.create(slot).await,
                5..7 => self.delete(slot).await,
                7 => self.expand(slot).await,
                8..11 => self.publish(slot).await,
                11..13 => self.write(slot).await,
                13..15 => self.unpublish(slot).await,
                15..17 => self.unstage(slot).await,
                17..19 => self.cut(slot, cut).await,
                _ => self.drop_cut(cut).await,
            }
        }
    }

    /// Compares all that there is with what must be, the snapshots by volumes that are made of them.
    pub(super) async fn verify(&mut self) {
        for slot in self.volumes.keys().copied().collect::<Vec<_>>() {
            self.publish(slot).await;
            self.write(slot).await;
            self.compare(slot).await;
        }
        for (number, cut) in self.cuts.clone() {
            let slot = 2 * (VOLUMES + number) + usize::from(cut.kind == Kind::Raw);
            self.make(slot, requests::of_snapshot(&cut.id), cut.size, cut.stamp).await;
            assert!(self.volumes.contains_key(&slot), "{} cannot be restored", cut.id);
            self.publish(slot).await;
        }
    }

    /// Removes all that there is.
    pub(super) async fn clear(&mut self) {
        for slot in self.volumes.keys().copied().collect::<Vec<_>>() {
            self.unpublish(slot).await;
            self.unstage(slot).await;
            self.delete(slot).await;
        }
        for cut in 0..SNAPSHOTS {
            self.drop_cut(cut).await;
        }
        assert!(self.volumes.is_empty() && self.cuts.is_empty());
    }

    /// Returns the ids of the volumes and snapshots that the worker was told are there.
    pub(super) fn ids(&self) -> [Vec<String>; 2] {
        let volumes = self.volumes.values().map(|volume| volume.id.clone()).collect();
        [volumes, self.cuts.values().map(|cut| cut.id.clone()).collect()]
    }

    fn name(&self, slot: usize) -> String {
        format!("volume {slot} of {}", self.number)
    }

    /// Makes a call to a controller; when it is made again it may go to another one.
    async fn ask<Q: Clone, A>(
        &mut self,
        what: &str,
        request: &Q,
        call: impl AsyncFn(
            ControllerClient<tonic::transport::Channel>,
            Request<Q>,
        ) -> Result<tonic::Response<A>, Status>,
    ) -> Result<A, Status> {
        let (fleet, first) = (self.fleet, self.dice.below(1000));
        fleet.count();
        fleet
            .settle(what, async |attempt| {
                let client = ControllerClient::new(fleet.controller(first + attempt));
                call(client, within(SECONDS, request.clone())).await
            })
            .await
    }

    /// Makes a new volume, or what there is once more; a new one of nothing, of a snapshot or of another volume.
    async fn create(&mut self, slot: usize) {
        if let Some(volume) = self.volumes.get(&slot).cloned() {
            let what = format!("create {} again", volume.id);
            let again = self.ask(&what, &volume.asked, async |mut controller, request| {
                controller.create_volume(request).await
            });
            let again = again.await.unwrap_or_else(|status| panic!("{what}: {status:?}"));
            return assert_eq!(again.volume.unwrap().volume_id, volume.id, "{what}");
        }
        let kind = Kind::of(slot);
        let cuts: Vec<_> = self.cuts.values().filter(|cut| cut.kind == kind).cloned().collect();
        let volumes: Vec<_> =
            self.volumes.values().filter(|volume| volume.kind == kind).cloned().collect();
        match self.dice.below(4) {
            0 if let Some(cut) = self.dice.of(&cuts) => {
                self.make(slot, requests::of_snapshot(&cut.id), cut.size, cut.stamp).await;
            }
            1 if let Some(source) = self.dice.of(&volumes) => {
                let content = requests::of_volume(&source.id);
                self.make(slot, content, source.size, source.stamp).await;
            }
            _ => self.make(slot, None, 16 * MIB, 0).await,
        }
    }

    async fn make(
        &mut self,
        slot: usize,
        source: Option<v1::VolumeContentSource>,
        size: i64,
        stamp: Stamp,
    ) {
        let (name, kind) = (self.name(slot), Kind::of(slot));
        let asked = v1::CreateVolumeRequest {
            capacity_range: requests::at_least(size),
            volume_capabilities: vec![kind.capability()],
            volume_content_source: source,
            ..requests::create(&name)
        };
        let what = format!("create {name}");
        let made = self.ask(&what, &asked, async |mut controller, request| {
            controller.create_volume(request).await
        });
        let volume = match made.await {
            Ok(made) => made.volume.unwrap(),
            Err(status) => return Self::was_taken_back(&what, Code::ResourceExhausted, &status),
        };
        assert_eq!(volume.capacity_bytes, size, "{what}");
        let node = volume.accessible_topology[0].segments[TOPOLOGY_KEY].clone();
        let id = volume.volume_id;
        let (staged, published) = (false, false);
        let volume = Volume { id, node, asked, kind, size, staged, published, stamp };
        self.volumes.insert(slot, volume);
    }

    /// A node that was just killed has not begun: then nothing is there, and that is the answer.
    fn was_taken_back(what: &str, code: Code, status: &Status) {
        let told = status.message().contains("it was taken back");
        assert!(told && status.code() == code, "{what}: {status:?}");
    }

    /// Deletes the volume, which must not go while it is staged.
    async fn delete(&mut self, slot: usize) {
        let Some(volume) = self.volumes.get(&slot).cloned() else { return };
        let what = format!("delete {}", volume.id);
        let request = requests::delete(&volume.id);
        let answer = self.ask(&what, &request, async |mut controller, request| {
            controller.delete_volume(request).await
        });
        match answer.await {
            Ok(_) => {
                assert!(!volume.staged, "{what}: it is staged on {}", volume.node);
                self.volumes.remove(&slot);
            }
            Err(status) => {
                let refused = status.code() == Code::FailedPrecondition;
                assert!(volume.staged && refused, "{what}: {status:?}");
            }
        }
    }

    async fn expand(&mut self, slot: usize) {
        let Some(volume) = self.volumes.get(&slot).cloned() else { return };
        let what = format!("expand {}", volume.id);
        let size = (volume.size + 8 * MIB).min(64 * MIB);
        let request = requests::expand(&volume.id, size);
        let answer = self.ask(&what, &request, async |mut controller, request| {
            controller.controller_expand_volume(request).await
        });
        let answer = answer.await.unwrap_or_else(|status| panic!("{what}: {status:?}"));
        assert_eq!(answer.capacity_bytes, size, "{what}");
        self.volumes.get_mut(&slot).unwrap().size = size;
    }

    async fn cut(&mut self, slot: usize, cut: usize) {
        let Some(volume) = self.volumes.get(&slot).cloned() else { return };
        if self.cuts.contains_key(&cut) {
            return self.drop_cut(cut).await;
        }
        let name = format!("snapshot {cut} of {}", self.number);
        let what = format!("cut {name} of {}", volume.id);
        let request = requests::snapshot(&name, &volume.id);
        let answer = self.ask(&what, &request, async |mut controller, request| {
            controller.create_snapshot(request).await
        });
        let snapshot = match answer.await {
            Ok(answer) => answer.snapshot.unwrap(),
            Err(status) => return Self::was_taken_back(&what, Code::FailedPrecondition, &status),
        };
        assert_eq!(snapshot.size_bytes, volume.size, "{what}");
        let Volume { node, kind, size, stamp, .. } = volume;
        self.cuts.insert(cut, Cut { id: snapshot.snapshot_id, node, kind, size, stamp });
    }

    async fn drop_cut(&mut self, cut: usize) {
        let Some(Cut { id, .. }) = self.cuts.get(&cut).cloned() else { return };
        let what = format!("delete {id}");
        let request = requests::delete_snapshot(&id);
        let answer = self.ask(&what, &request, async |mut controller, request| {
            controller.delete_snapshot(request).await
        });
        answer.await.unwrap_or_else(|status| panic!("{what}: {status:?}"));
        self.cuts.remove(&cut);
    }
}

/// What is done on the nodes.
impl Worker<'_> {
    /// Returns the staging and the target path of the volume.
    fn paths(&self, volume: &Volume, slot: usize) -> [String; 2] {
        let room = self.fleet.rig.room(&volume.node).join("pods");
        ["staging", "target"].map(|kind| {
            let path = room.join(format!("{kind} of {}", self.name(slot)));
            path.to_str().unwrap().to_owned()
        })
    }

    /// Makes a call to the node of the volume, which must succeed.
    async fn on_node<Q: Clone, A>(
        &self,
        what: &str,
        volume: &Volume,
        request: &Q,
        call: impl AsyncFn(
            NodeClient<tonic::transport::Channel>,
            Q,
        ) -> Result<tonic::Response<A>, Status>,
    ) {
        self.fleet.count();
        let (channel, _) = self.fleet.node(&volume.node);
        let what = format!("{what} {} on {}", volume.id, volume.node);
        let answer = self
            .fleet
            .settle(&what, async |_| call(NodeClient::new(channel.clone()), request.clone()).await);
        answer.await.unwrap_or_else(|status| panic!("{what}: {status:?}"));
    }

    /// Stages and publishes the volume, which must hold what it should.
    async fn publish(&mut self, slot: usize) {
        let Some(volume) = self.volumes.get(&slot).cloned() else { return };
        let [staging, target] = self.paths(&volume, slot);
        std::fs::create_dir_all(&staging).unwrap();
        let volume_capability = Some(volume.kind.capability());
        let stage = v1::NodeStageVolumeRequest {
            volume_capability: volume_capability.clone(),
            ..requests::stage(&volume.id, &staging)
        };
        let staged = self.on_node("stage", &volume, &stage, async |mut node, request| {
            node.node_stage_volume(request).await
        });
        staged.await;
        self.volumes.get_mut(&slot).unwrap().staged = true;
        if self.dice.one_in(4) {
            return;
        }
        let publish = v1::NodePublishVolumeRequest {
            volume_capability,
            ..requests::publish(&volume.id, &staging, &target)
        };
        let published = self.on_node("publish", &volume, &publish, async |mut node, request| {
            node.node_publish_volume(request).await
        });
        published.await;
        self.volumes.get_mut(&slot).unwrap().published = true;
        self.compare(slot).await;
    }

    async fn compare(&self, slot: usize) {
        let Some(volume) = self.published(slot) else { return };
        let (_, mounts) = self.fleet.node(&volume.node);
        let [_, target] = self.paths(&volume, slot);
        let found = there(mounts, PathBuf::from(target), content::read_now).await;
        assert_eq!(found, volume.stamp, "the content of {} on {}", volume.id, volume.node);
    }

    async fn write(&mut self, slot: usize) {
        let Some(volume) = self.published(slot) else { return };
        let (_, mounts) = self.fleet.node(&volume.node);
        let [_, target] = self.paths(&volume, slot);
        self.last += 1;
        let stamp = u64::try_from(self.number).unwrap() * 1_000_000 + self.last;
        let write = move |target: &Path| content::write_now(target, stamp);
        there(mounts, PathBuf::from(target), write).await.unwrap();
        self.volumes.get_mut(&slot).unwrap().stamp = stamp;
    }

    fn published(&self, slot: usize) -> Option<Volume> {
        self.volumes.get(&slot).filter(|volume| volume.published).cloned()
    }

    async fn unpublish(&mut self, slot: usize) {
        let Some(volume) = self.volumes.get(&slot).cloned() else { return };
        let [_, target] = self.paths(&volume, slot);
        let request = requests::unpublish(&volume.id, &target);
        let gone = self.on_node("unpublish", &volume, &request, async |mut node, request| {
            node.node_unpublish_volume(request).await
        });
        gone.await;
        self.volumes.get_mut(&slot).unwrap().published = false;
    }

    async fn unstage(&mut self, slot: usize) {
        let Some(volume) = self.volumes.get(&slot).cloned() else { return };
        if volume.published {
            self.unpublish(slot).await;
        }
        let [staging, _] = self.paths(&volume, slot);
        let request = requests::unstage(&volume.id, &staging);
        let gone = self.on_node("unstage", &volume, &request, async |mut node, request| {
            node.node_unstage_volume(request).await
        });
        gone.await;
        self.volumes.get_mut(&slot).unwrap().staged = false;
    }
}

/// Does the work where the node's mounts are seen. It may take its time: nobody is held up by it.
async fn there<T: Send + 'static>(
    mounts: Mounts,
    path: PathBuf,
    work: impl FnOnce(&Path) -> T + Send + 'static,
) -> T {
    let work = tokio::task::spawn_blocking(move || mounts.run(|| work(&path)));
    tokio::time::timeout(Duration::from_mins(1), work).await.expect("the volume hangs").unwrap()
}
