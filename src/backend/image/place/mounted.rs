//! The mount of a pool's own file system.

use std::path::{Path, PathBuf};

use crate::backend::image::error::{Error, Result};
use crate::backend::image::settings::Settings;
use crate::backend::image::store::patiently;
use crate::sys::beneath::{Dir, DirLock};
use crate::sys::mount::{MountOptions, mount};
use crate::sys::mountinfo::{Mount, MountTable};
use crate::sys::{DeviceNumber, blocking};

/// Returns the root of the pool's file system, which the driver has mounted.
pub(super) fn root(settings: &Settings) -> Result<PathBuf> {
    let point = settings.mount_point();
    let mounted = MountTable::read()?.at(&point).is_some();
    if mounted { Ok(point) } else { Err(absent(settings)) }
}

/// Returns that the pool is not there to be read.
pub(super) fn absent(settings: &Settings) -> Error {
    let Settings { name, .. } = settings;
    Error::unfit(format!(
        "pool {name} is not mounted at {}: only the driver mounts it, so start that first",
        settings.mount_point().display()
    ))
}

/// Makes the mount point, and locks it: as long as nothing is mounted there, whoever has the lock is the only one
/// that prepares the pool.
pub(super) fn lock_point(point: &Path) -> Result<DirLock> {
    super::make_directory(point)?;
    let taken = || {
        Error::unfit(format!(
            "another driver is using the pool at {}: there can be one",
            point.display()
        ))
    };
    let dir = Dir::open(point)?;
    patiently(|| dir.try_lock())?.ok_or_else(taken)
}

/// Returns whether the device is mounted at the pool's mount point; something else there is an error.
pub(super) fn is_there(point: &Path, device: DeviceNumber) -> Result<bool> {
    match MountTable::read()?.at(point) {
        None => Ok(false),
        Some(mount) if mount.device == device => Ok(true),
        Some(other) => Err(Error::unfit(format!(
            "{} is where the pool is to be mounted, but {other} is: unmount that first",
            point.display()
        ))),
    }
}

/// Mounts the pool's file system, an XFS.
pub(super) fn mount_pool(device: &Path, point: &Path, discard: bool) -> Result<()> {
    let mut options = MountOptions::default();
    options.flags.push("noatime".to_owned());
    if discard {
        options.flags.push("discard".to_owned());
    }
    Ok(mount("xfs", device, point, &options)?)
}

/// Checks that what is mounted below the mount directory outlives this process's mount namespace, if that is
/// asked for.
pub(super) async fn check_propagation(settings: &Settings) -> Result<()> {
    if !settings.require_shared_mounts {
        return Ok(());
    }
    let dir = settings.mount_dir.clone();
    blocking(move || {
        super::make_directory(&dir)?;
        let table = MountTable::read()?;
        match holding(&table, &dir) {
            Some(mount) if mount.shared.is_some() => Ok(()),
            _ => Err(Error::unfit(format!(
                "{} is not on a mount with shared propagation, so that the next driver process would not find the \
                 pool mounted: mount it with `mountPropagation: Bidirectional`, or run `mount --make-shared`",
                dir.display()
            ))),
        }
    })
    .await
}

/// Returns the mount that holds the path: the topmost of those at the longest beginning of it.
fn holding<'a>(table: &'a MountTable, path: &Path) -> Option<&'a Mount> {
    path.ancestors().find_map(|ancestor| table.at(ancestor))
}
