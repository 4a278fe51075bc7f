//! What only the node of a pool can do and tell.

use std::fmt;
use std::path::PathBuf;

use async_trait::async_trait;
use uuid::Uuid;

use super::{Backend, Contents, Ensured, PoolFigures, Transfer};
use crate::error::Result;
use crate::sys::device::DeviceNumber;
use crate::volume::{Bytes, Condition, StorageCondition, Unwell, VolumeId};

/// A pool whose data is on this node.
#[async_trait]
pub trait Local: Backend {
    /// Returns the random UUID that the pool got when it was made, by which it is told from any other in its place.
    /// Asks nobody.
    fn uuid(&self) -> Result<Uuid>;

    /// Returns everything that is real in the pool. Takes no lock of a volume.
    async fn contents(&self) -> Result<Contents>;

    /// Returns what the pool is in numbers, and those of its first `most` volumes. Takes no lock of a volume; whoever
    /// asks gives up waiting when the pool's disk hangs.
    async fn figures(&self, most: usize) -> Result<PoolFigures>;

    /// Makes the volume a device of this node, ready to be mounted: a copy is finished, a file system checked.
    async fn attach(&self, id: &VolumeId) -> Result<Attached>;

    /// Returns the device that the volume is now, or nothing. Asks the kernel; takes no lock.
    async fn attached(&self, id: &VolumeId) -> Result<Option<Device>>;

    /// Succeeds when the volume is no device of this node. `InUse` while somebody has it mounted or open.
    async fn detach(&self, id: &VolumeId) -> Result<Ensured<()>>;

    /// Fails when whoever begins to use a volume of the pool now would only wait: for room, say. Asks nobody.
    fn admits(&self) -> Result<()>;

    /// Sees to it that the volume is not held up by its pool as long as the value is kept. Whoever is about to
    /// unmount or to grow its file system needs that.
    async fn keep_running(&self, id: &VolumeId) -> Result<Box<dyn Hold>>;

    /// Lets the device of an attached volume take the size that the volume has, and returns that size.
    async fn grow_device(&self, id: &VolumeId) -> Result<Bytes>;

    /// Returns what is the matter with the volume, which is nothing for one that is well; or nothing at all when
    /// there is no such volume. An unreadable record is a condition.
    ///
    /// Takes no lock and answers within two seconds: that something hangs is the answer then. So do the next two.
    async fn health(&self, id: &VolumeId) -> Result<Option<Vec<Condition>>>;

    /// Returns at most `most` volumes behind `after` with which something is the matter, sorted by id.
    async fn unwell(&self, after: Option<&VolumeId>, most: usize) -> Result<Vec<Unwell>>;

    /// Returns what is the matter with the pool itself.
    async fn storage_health(&self) -> Result<Vec<StorageCondition>>;

    /// Returns how the pool takes images in and gives them out, if it does.
    fn transfer(&self) -> Option<&dyn Transfer> {
        None
    }
}

/// A device of this node, as the kernel names it now: never to be remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The device node.
    pub path: PathBuf,
    /// Its number, by which mounts are recognized.
    pub number: DeviceNumber,
}

/// A volume made ready on this node.
///
/// The value keeps the device from vanishing between the attach and the mount, which then holds it.
#[derive(Debug)]
pub struct Attached {
    /// The device.
    pub device: Device,
    /// Whatever has to stay open until the device is mounted or published.
    pub hold: Box<dyn Hold>,
}

/// Something that is held by being kept.
pub trait Hold: fmt::Debug + Send + Sync {}
