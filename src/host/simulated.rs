//! The node of the memory backend: a mount table in memory, plain directories and files on disk, no rights.
//!
//! A mount is a row of the table; a published volume is besides a directory or a file at the target path, as an
//! orchestrator expects to find it. The table is this node's kernel, so it dies with the process, as a kernel
//! does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{Enforcement, Host, Options, Place, Sight, Usage, target};
use crate::backend::{Device, Ensured};
use crate::error::{Error, Result};
use crate::sys::device::DeviceNumber;
use crate::volume::{Bytes, FsType, Limits};

/// A simulated node; clones are the same node.
#[derive(Debug, Clone, Default)]
pub struct Simulated {
    table: Arc<Mutex<Vec<Row>>>,
    /// The devices that are limited.
    limits: Arc<Mutex<BTreeMap<DeviceNumber, Limits>>>,
}

/// A row of the mount table.
#[derive(Debug, Clone)]
struct Row {
    place: Place,
    /// Whether this is a target, where a pod has the volume, and not its stage.
    is_target: bool,
}

// === impl Simulated ===

impl Simulated {
    /// Returns every place of the device.
    pub fn places(&self, device: &Device) -> Vec<Place> {
        let all = self.table();
        let places = all.iter().map(|row| &row.place);
        places.filter(|place| place.device == Some(device.number)).cloned().collect()
    }

    /// Returns the limits that hold for the device.
    pub fn limits_of(&self, device: &Device) -> Limits {
        self.limits().get(&device.number).copied().unwrap_or_default()
    }

    fn limits(&self) -> MutexGuard<'_, BTreeMap<DeviceNumber, Limits>> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn table(&self) -> MutexGuard<'_, Vec<Row>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, device: &Device, at: &Path, options: &Options, is_node: bool) {
        let (read_only, flags) = (options.read_only, options.flags.clone());
        let what = device.path.display().to_string();
        let device = Some(device.number);
        let (at, is_stuck) = (at.to_owned(), false);
        let place = Place { at, device, what, read_only, is_stuck, flags, is_node };
        self.table().push(Row { place, is_target: is_node });
    }

    fn top(&self, path: &Path) -> Option<Place> {
        let all = self.table();
        all.iter().rev().map(|row| &row.place).find(|place| place.at == path).cloned()
    }
}

#[async_trait]
impl Host for Simulated {
    /// The table knows paths as they were given.
    async fn resolve(&self, path: PathBuf) -> PathBuf {
        path
    }

    async fn sight(&self, device: Option<&Device>, paths: &[&Path]) -> Result<Sight> {
        let of_device = device.map(|device| self.places(device)).unwrap_or_default();
        Ok(Sight { of_device, topmost: paths.iter().filter_map(|path| self.top(path)).collect() })
    }

    async fn mount(&self, device: &Device, _: FsType, at: &Path, options: &Options) -> Result<()> {
        self.add(device, at, options, false);
        Ok(())
    }

    async fn bind_directory(&self, from: &Path, to: &Path, options: &Options) -> Result<()> {
        let nothing = || Error::unfit(format!("nothing is mounted at {}", from.display()));
        let staged = self.top(from).ok_or_else(nothing)?;
        target::ensure_directory(to)?;
        let read_only = staged.read_only || options.read_only;
        let flags = options.flags.clone();
        let place = Place { at: to.to_owned(), read_only, flags, ..staged };
        self.table().push(Row { place, is_target: true });
        Ok(())
    }

    async fn bind_device(&self, device: &Device, to: &Path, read_only: bool) -> Result<()> {
        target::ensure_file(to)?;
        self.add(device, to, &Options { read_only, flags: Vec::new() }, true);
        Ok(())
    }

    async fn unmount(&self, path: &Path) -> Result<Ensured<()>> {
        let mut table = self.table();
        let before = table.len();
        table.retain(|row| row.place.at != path);
        Ok(if table.len() < before { Ensured::Made(()) } else { Ensured::Found(()) })
    }

    /// A simulated device never loses its image, and the image is named as the device is.
    async fn image_behind(&self, place: &Place) -> Option<PathBuf> {
        Some(PathBuf::from(&place.what))
    }

    async fn remove_target(&self, path: &Path) -> Result<()> {
        target::remove(path)
    }

    async fn grow(&self, _: &Path, _: FsType) -> Result<()> {
        Ok(())
    }

    async fn usage(&self, _: &Path) -> Result<Usage> {
        let total = Bytes::gib(1);
        Ok(Usage {
            total,
            used: Bytes::ZERO,
            available: total,
            inodes: 1 << 16,
            inodes_used: 3,
            inodes_free: (1 << 16) - 3,
        })
    }

    /// All targets are of one pod.
    async fn limit(&self, device: &Device, limits: &Limits) -> Result<Enforcement> {
        let is_used = |row: &Row| row.is_target && row.place.device == Some(device.number);
        if self.table().iter().any(is_used) {
            self.limits().insert(device.number, *limits);
        }
        Ok(Enforcement::Lasting)
    }

    async fn holds(&self, device: &Device, limits: &Limits) -> Result<Option<Enforcement>> {
        Ok((self.limits_of(device) == *limits).then_some(Enforcement::Lasting))
    }

    async fn unlimit(&self, device: DeviceNumber, _: &Path) -> Result<()> {
        self.limits().remove(&device);
        Ok(())
    }

    async fn can_limit(&self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_mounted_is_found_at_its_path_and_by_its_device_until_it_is_unmounted() {
        let room = tempfile::tempdir().unwrap();
        let host = Simulated::default();
        let number = DeviceNumber { major: 0, minor: 1 };
        let device = Device { path: PathBuf::from("/dev/simulated1"), number };
        let (staging, to) = (room.path().join("staging"), room.path().join("target"));
        host.mount(&device, FsType::Xfs, &staging, &Options::default()).await.unwrap();
        let read_only = Options { read_only: true, flags: vec![] };
        host.bind_directory(&staging, &to, &read_only).await.unwrap();
        assert!(to.is_dir());
        let sight = host.sight(Some(&device), &[&to, room.path()]).await.unwrap();
        assert!(sight.at(&to).unwrap().read_only);
        assert_eq!((sight.of_device.len(), sight.topmost.len()), (2, 1));
        assert!(host.unmount(&to).await.unwrap().is_made());
        assert!(!host.unmount(&to).await.unwrap().is_made());
        host.remove_target(&to).await.unwrap();
        assert!(!to.exists());
    }
}
