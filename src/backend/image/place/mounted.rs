//! The mount of a pool's own file system.

use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::backend::image::error::{Error, Result};
use crate::backend::image::settings::Settings;
use crate::backend::image::store::patiently;
use crate::fs;
use crate::sys::beneath::{Dir, DirLock};
use crate::sys::mount::{self, MountOptions, bind_shared, mount};
use crate::sys::mountinfo::MountTable;
use crate::sys::{DeviceNumber, Failure, blocking, namespace};
use crate::volume::FsType;

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
    let attempt = || mount("xfs", device, point, &options);
    let is_busy = |failure: &Failure| failure.errno() == Some(Errno::BUSY);
    // A program that is just being started has a copy of every mount, also of the one through which the pool was looked
    // at: its file system cannot be mounted for writing until that is gone.
    let mounted = patiently(|| match attempt() {
        Err(failure) if is_busy(&failure) => Ok(None),
        answer => answer.map(Some),
    });
    match mounted? {
        Some(()) => Ok(()),
        None => Ok(attempt()?),
    }
}

/// Takes the pool's mount away again. One that cannot go is found by the next start.
pub(super) fn unmount(point: &Path) {
    let unmounted = patiently(|| match mount::unmount(point) {
        Err(failure) if failure.errno() == Some(Errno::BUSY) => Ok(None),
        answer => answer.map(Some),
    });
    match unmounted {
        Ok(Some(_)) => {}
        Ok(None) => tracing::warn!(pool = %point.display(), "in use, and still mounted"),
        Err(failure) => tracing::warn!(cause = %failure.source, "{failure}"),
    }
}

/// Lets the pool's file system have what its device has more than before.
pub(super) fn grow(point: &Path) {
    // A pool that stays smaller than it could be is no reason not to serve it.
    if let Err(error) = fs::grow::mounted(point, FsType::Xfs) {
        let why = crate::error::Error::from(error).sentence();
        tracing::warn!(pool = %point.display(), why, "the pool keeps its size");
    }
}

/// Checks that what is mounted below the mount directory outlives this process's mount namespace, if that is
/// asked for, and sees to it where we can: in a container a mount of our own would be seen by nobody else.
pub(super) async fn check_propagation(settings: &Settings) -> Result<()> {
    if !settings.require_shared_mounts {
        return Ok(());
    }
    let dir = settings.mount_dir.clone();
    blocking(move || {
        super::make_directory(&dir)?;
        if !is_shared(&dir)? && namespace::has_the_machines_mounts() {
            bind_shared(&dir)?;
        }
        if is_shared(&dir)? {
            return Ok(());
        }
        Err(Error::unfit(format!(
            "{} is not on a mount with shared propagation, so that the next driver process would not find the \
             pool mounted: mount it with `mountPropagation: Bidirectional`, or run `mount --make-shared`",
            dir.display()
        )))
    })
    .await
}

/// Says whether the mount that holds the path is shared: the topmost of those at the longest beginning of it.
fn is_shared(path: &Path) -> Result<bool> {
    let table = MountTable::read()?;
    let holding = path.ancestors().find_map(|ancestor| table.at(ancestor));
    Ok(holding.is_some_and(|mount| mount.shared.is_some()))
}
