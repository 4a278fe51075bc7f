//! A pool in memory: a whole backend without a disk and without rights.
//!
//! It keeps the contract of [`Backend`] with the plainest code that can, so it is the reference in tests and the
//! simulated driver for people who try an orchestrator. Its devices exist in [`crate::host::simulated`] only.

mod group;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use uuid::Uuid;

use super::{
    Attached, Backend, Capacity, Changes, Contents, Device, Ensured, Groups, Hold, Local,
    PoolFigures, Snapshots, VolumeFigures,
};
use crate::error::{Error, Noun, Result};
use crate::host::simulated::Simulated;
use crate::sys::device::DeviceNumber;
use crate::volume::{
    Attachment, Bytes, Condition, Content, FsType, Group, GroupId, Limits, NewSnapshot, NewVolume,
    Snapshot, SnapshotId, Source, StorageCondition, Unwell, Volume, VolumeId,
};

/// A pool in memory.
#[derive(Debug)]
pub struct Memory {
    name: String,
    uuid: Uuid,
    size: Bytes,
    state: Mutex<State>,
    host: Simulated,
    tells: Option<Arc<dyn Changes>>,
}

#[derive(Debug, Default)]
struct State {
    volumes: BTreeMap<VolumeId, Volume>,
    snapshots: BTreeMap<SnapshotId, Snapshot>,
    groups: BTreeMap<GroupId, Group>,
    /// The simulated devices: their numbers by volume.
    devices: BTreeMap<VolumeId, u32>,
    last_device: u32,
}

/// Nothing has to stay open for a simulated device.
#[derive(Debug)]
struct Nothing;

impl Hold for Nothing {}

// === impl Memory ===

impl Memory {
    /// Returns an empty pool whose devices appear on the simulated node.
    pub fn new(name: &str, size: Bytes, host: Simulated) -> Self {
        let (name, uuid) = (name.to_owned(), Uuid::new_v4());
        Self { name, uuid, size, state: Mutex::default(), host, tells: None }
    }

    /// Lets somebody else tell of the blocks of the snapshots. A simulated volume has none, so a memory pool
    /// cannot tell by itself.
    #[must_use]
    pub fn telling(self, changes: Arc<dyn Changes>) -> Self {
        Self { tells: Some(changes), ..self }
    }

    /// The state is whole between any two of its operations: a panic elsewhere does not change its meaning.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn room(&self, state: &State, asked: Bytes) -> Result<()> {
        let free = self.size.less(state.promised());
        if asked <= free {
            return Ok(());
        }
        Err(Error::Exhausted { place: format!("pool {}", self.name), asked, free })
    }

    fn not_mounted(&self, state: &State, id: &VolumeId) -> Result<()> {
        let Some(device) = state.device(id) else { return Ok(()) };
        match self.host.places(&device).first() {
            Some(place) => Err(in_use(id, format!("mounted at {}", place.at.display()))),
            None => Ok(()),
        }
    }
}

// === impl State ===

impl State {
    fn promised(&self) -> Bytes {
        let volumes = self.volumes.values().map(|volume| volume.size);
        let snapshots = self.snapshots.values().map(|snapshot| snapshot.size);
        volumes.chain(snapshots).fold(Bytes::ZERO, Bytes::plus)
    }

    fn device(&self, id: &VolumeId) -> Option<Device> {
        let minor = *self.devices.get(id)?;
        let path = PathBuf::from(format!("/dev/simulated{minor}"));
        Some(Device { path, number: DeviceNumber { major: 0, minor } })
    }

    fn has(&self, source: &Source) -> Result<()> {
        match source {
            Source::Snapshot(id) if !self.snapshots.contains_key(id) => Err(Error::no_snapshot(id)),
            Source::Volume(id) if !self.volumes.contains_key(id) => Err(Error::no_volume(id)),
            Source::Snapshot(_) | Source::Volume(_) => Ok(()),
        }
    }

    fn volume(&mut self, id: &VolumeId) -> Result<&mut Volume> {
        self.volumes.get_mut(id).ok_or_else(|| Error::no_volume(id))
    }
}

// === impl VolumeFigures ===

impl VolumeFigures {
    /// A simulated volume takes what it promises.
    fn simulated(volume: &Volume) -> Self {
        Self {
            id: volume.id.clone(),
            name: volume.name.clone(),
            content: volume.content,
            size: volume.size,
            used: Some(volume.size),
            limits: volume.limits,
        }
    }
}

fn in_use(id: &VolumeId, by: String) -> Error {
    Error::InUse { what: Noun::Volume, id: id.to_string(), by }
}

#[async_trait]
impl Backend for Memory {
    fn least_size(&self, content: Content) -> Bytes {
        match content {
            Content::FileSystem(FsType::Xfs) => Bytes::mib(300),
            Content::FileSystem(FsType::Btrfs) => Bytes::mib(128),
            Content::FileSystem(FsType::Ext4) => Bytes::mib(1),
            Content::Block => Bytes(4096),
        }
    }

    async fn create(&self, wanted: &NewVolume) -> Result<Ensured<Volume>> {
        let mut state = self.state();
        if let Some(found) = state.volumes.get(&wanted.id) {
            return if found.is(wanted) {
                Ok(Ensured::Found(found.clone()))
            } else {
                Err(Error::Differs {
                    what: Noun::Volume,
                    id: wanted.id.to_string(),
                    how: "not as asked".to_owned(),
                })
            };
        }
        if let Some(source) = &wanted.source {
            state.has(source)?;
        }
        self.room(&state, wanted.size)?;
        let volume = wanted.made_now();
        state.volumes.insert(wanted.id.clone(), volume.clone());
        Ok(Ensured::Made(volume))
    }

    async fn delete(&self, id: &VolumeId) -> Result<Ensured<()>> {
        let mut state = self.state();
        self.not_mounted(&state, id)?;
        // A raw device is in use as long as it is one: nobody can tell whether a pod has it open.
        let raw = state.volumes.get(id).is_some_and(|volume| volume.content == Content::Block);
        if let Some(device) = state.device(id).filter(|_| raw) {
            return Err(in_use(id, format!("it is the device {}", device.path.display())));
        }
        state.devices.remove(id);
        Ok(state.volumes.remove(id).map_or(Ensured::Found(()), |_| Ensured::Made(())))
    }

    async fn find(&self, id: &VolumeId) -> Result<Option<Volume>> {
        Ok(self.state().volumes.get(id).cloned())
    }

    async fn list(&self, after: Option<&VolumeId>, most: usize) -> Result<Vec<Volume>> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let range = (from, Bound::Unbounded);
        Ok(self.state().volumes.range(range).take(most).map(|(_, volume)| volume.clone()).collect())
    }

    async fn expand(&self, id: &VolumeId, size: Bytes) -> Result<Volume> {
        let mut state = self.state();
        let now = state.volume(id)?.size;
        self.room(&state, size.less(now))?;
        let volume = state.volume(id)?;
        volume.size = now.max(size);
        Ok(volume.clone())
    }

    async fn set_limits(&self, id: &VolumeId, limits: Limits) -> Result<()> {
        self.state().volume(id)?.limits = limits;
        Ok(())
    }

    async fn set_attachments(&self, id: &VolumeId, attachments: &[Attachment]) -> Result<()> {
        self.state().volume(id)?.attachments = attachments.to_vec();
        Ok(())
    }

    async fn capacity(&self, content: Content) -> Result<Capacity> {
        let available = self.size.less(self.state().promised());
        Ok(Capacity { available, largest: available, least: self.least_size(content) })
    }

    fn snapshots(&self) -> Option<&dyn Snapshots> {
        Some(self)
    }

    fn changes(&self) -> Option<&dyn Changes> {
        self.tells.as_deref()
    }

    fn groups(&self) -> Option<&dyn Groups> {
        Some(self)
    }
}

#[async_trait]
impl Local for Memory {
    /// What was in memory is gone with the process, so that each process has another pool.
    fn uuid(&self) -> Result<Uuid> {
        Ok(self.uuid)
    }

    async fn contents(&self) -> Result<Contents> {
        let state = self.state();
        let alone = state.snapshots.keys().filter(|id| id.group().is_none());
        Ok(Contents {
            volumes: state.volumes.keys().cloned().collect(),
            snapshots: alone.cloned().collect(),
            groups: state.groups.keys().cloned().collect(),
        })
    }

    async fn figures(&self, most: usize) -> Result<PoolFigures> {
        let state = self.state();
        let promised = state.promised();
        let available = self.size.less(promised);
        Ok(PoolFigures {
            kind: "memory",
            provisioning: "thick",
            capacity: self.size,
            promisable: self.size,
            promised,
            available,
            used: promised,
            free: available,
            shared: false,
            low: false,
            volumes: state.volumes.len(),
            snapshots: state.snapshots.len(),
            damaged: 0,
            paused: 0,
            each: state.volumes.values().take(most).map(VolumeFigures::simulated).collect(),
        })
    }

    async fn attach(&self, id: &VolumeId) -> Result<Attached> {
        let mut state = self.state();
        state.volume(id)?;
        if !state.devices.contains_key(id) {
            state.last_device += 1;
            let minor = state.last_device;
            state.devices.insert(id.clone(), minor);
        }
        let device = state.device(id).ok_or_else(|| Error::no_volume(id))?;
        Ok(Attached { device, hold: Box::new(Nothing) })
    }

    async fn attached(&self, id: &VolumeId) -> Result<Option<Device>> {
        Ok(self.state().device(id))
    }

    async fn detach(&self, id: &VolumeId) -> Result<Ensured<()>> {
        let mut state = self.state();
        self.not_mounted(&state, id)?;
        Ok(state.devices.remove(id).map_or(Ensured::Found(()), |_| Ensured::Made(())))
    }

    fn admits(&self) -> Result<()> {
        Ok(())
    }

    async fn keep_running(&self, _: &VolumeId) -> Result<Box<dyn Hold>> {
        Ok(Box::new(Nothing))
    }

    async fn grow_device(&self, id: &VolumeId) -> Result<Bytes> {
        Ok(self.state().volume(id)?.size)
    }

    async fn health(&self, id: &VolumeId) -> Result<Option<Vec<Condition>>> {
        Ok(self.state().volumes.get(id).map(|_| Vec::new()))
    }

    async fn unwell(&self, _: Option<&VolumeId>, _: usize) -> Result<Vec<Unwell>> {
        Ok(Vec::new())
    }

    async fn storage_health(&self) -> Result<Vec<StorageCondition>> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Snapshots for Memory {
    async fn cut(&self, wanted: &NewSnapshot) -> Result<Ensured<Snapshot>> {
        let mut state = self.state();
        if let Some(found) = state.snapshots.get(&wanted.id) {
            return found.clone().as_wanted(wanted).map(Ensured::Found);
        }
        let source = state.volume(&wanted.source)?.clone();
        self.room(&state, source.size)?;
        let snapshot = wanted.cut_now(&source);
        state.snapshots.insert(wanted.id.clone(), snapshot.clone());
        Ok(Ensured::Made(snapshot))
    }

    async fn delete(&self, id: &SnapshotId) -> Result<Ensured<()>> {
        let gone = self.state().snapshots.remove(id);
        Ok(gone.map_or(Ensured::Found(()), |_| Ensured::Made(())))
    }

    async fn find(&self, id: &SnapshotId) -> Result<Option<Snapshot>> {
        Ok(self.state().snapshots.get(id).cloned())
    }

    async fn list(&self, after: Option<&SnapshotId>, most: usize) -> Result<Vec<Snapshot>> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let range = (from, Bound::Unbounded);
        Ok(self.state().snapshots.range(range).take(most).map(|(_, one)| one.clone()).collect())
    }
}
