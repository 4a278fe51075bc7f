//! A pool on a block device of its own: formatted once, if it is blank, then mounted.

use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::{Check, mounted, owner};
use crate::backend::image::error::{Error, Result};
use crate::backend::image::memory;
use crate::backend::image::settings::Settings;
use crate::backend::image::superblock::{self, Ours};
use crate::fs;
use crate::sys::failure::Doing;
use crate::sys::mountinfo::MountTable;
use crate::sys::{blocking, device};
use crate::volume::FsType;

/// What was found at start.
enum Found {
    /// The pool's file system is mounted where it belongs.
    Mounted,
    /// The device holds a pool.
    Formatted,
    /// The device was being formatted for a pool when that was cut off.
    HalfFormatted,
    /// The device holds something, or nothing.
    Unknown,
}

/// Sees to it that the device holds a pool's file system and that it is mounted. Returns whether it was not before.
pub(super) async fn prepare(path: &Path, settings: &Settings, check: Check) -> Result<bool> {
    let (path, point) = (path.to_owned(), settings.mount_point());
    let (lock, path, found) = {
        let (settings, point) = (settings.clone(), point.clone());
        blocking(move || -> Result<_> {
            let lock = mounted::lock_point(&point)?;
            let path = meant(&path, &settings)?;
            let found = look(&path, &point)?;
            Ok((lock, path, found))
        })
        .await?
    };
    let is_mounted = matches!(found, Found::Mounted);
    match found {
        Found::Mounted | Found::Formatted => {}
        Found::HalfFormatted => make(&path, settings).await?,
        Found::Unknown => {
            refuse_signature(&path).await?;
            make(&path, settings).await?;
        }
    }
    let settings = settings.clone();
    blocking(move || {
        if !is_mounted {
            owner::check(&path, &settings, check)?;
            mounted::mount_pool(&path, &point, false)?;
        }
        drop(lock);
        // The device may be one that can be made larger.
        mounted::grow(&point);
        Ok(!is_mounted)
    })
    .await
}

/// Says why the pool cannot be on this device, if that can be seen before it is mounted.
pub(super) async fn check(path: &Path, settings: &Settings) -> Result<()> {
    let (path, found) = {
        let (path, settings) = (path.to_owned(), settings.clone());
        blocking(move || -> Result<_> {
            let path = meant(&path, &settings)?;
            let found = look(&path, &settings.mount_point())?;
            Ok((path, found))
        })
        .await?
    };
    match found {
        Found::Mounted | Found::Formatted | Found::HalfFormatted => Ok(()),
        Found::Unknown => refuse_signature(&path).await,
    }
}

/// Says whether the device holds a pool.
pub(super) fn is_made(path: &Path, settings: &Settings) -> Result<bool> {
    Ok(superblock::look(&meant(path, settings)?)? == Some(Ours::Whole))
}

/// Returns the device that the config means: a path with `*` has to mean exactly one.
fn meant(path: &Path, settings: &Settings) -> Result<PathBuf> {
    if !device::is_pattern(path) {
        return Ok(path.to_owned());
    }
    let mut found = device::matching(path)?;
    let mounted = MountTable::read()?.at(&settings.mount_point()).map(|mount| mount.device);
    if let Some(path) = mounted.and_then(|number| found.remove(&number)) {
        return Ok(path);
    }
    // A disk that has come since does not hide the one that the pool was on.
    if found.len() > 1 && memory::is_known(settings)? {
        found.retain(|_, path| matches!(superblock::look(path), Ok(Some(Ours::Whole))));
    }
    let mut names: Vec<_> = found.values().map(|path| path.display().to_string()).collect();
    // The numbers of devices, which order what was found, differ from start to start.
    names.sort_unstable();
    let (pattern, name) = (path.display(), &settings.name);
    match found.into_values().next() {
        None => Err(Error::Missing(format!("there is no block device {pattern} for pool {name}"))),
        Some(path) if names.len() == 1 => Ok(path),
        Some(_) => Err(Error::unfit(format!(
            "{pattern} means {} for pool {name}: write a path that means one of them",
            names.join(" and ")
        ))),
    }
}

fn look(path: &Path, point: &Path) -> Result<Found> {
    let number = device::of_node(path)?;
    let number = number.ok_or_else(|| {
        Error::unfit(format!(
            "{} is not a block device: use `file` or `path` for the pool",
            path.display()
        ))
    })?;
    if mounted::is_there(point, number)? {
        return Ok(Found::Mounted);
    }
    Ok(match superblock::look(path)? {
        Some(Ours::Whole) => Found::Formatted,
        Some(Ours::Unfinished) => Found::HalfFormatted,
        None => Found::Unknown,
    })
}

/// Refuses a device with anything on it that any program knows by its signature: the config may name the wrong
/// disk.
async fn refuse_signature(path: &Path) -> Result<()> {
    match fs::probe::signature(path).await? {
        None => Ok(()),
        Some(signature) => Err(Error::unfit(format!(
            "{} holds {signature} and is not a pool that Orlop made: name another device, or run `wipefs --all` on it \
             if its data is of no use",
            path.display()
        ))),
    }
}

/// Formats the device, unless a pool was on it before: then it is another one, or has lost everything.
async fn make(path: &Path, settings: &Settings) -> Result<()> {
    let settings = settings.clone();
    blocking(move || memory::check_is_new(&settings)).await?;
    let claimed = {
        let path = path.to_owned();
        blocking(move || claim(&path)).await?
    };
    let format = fs::Format { fs: FsType::Xfs, uuid: Some(superblock::new_uuid()), thin: false };
    fs::format(path, claimed.into(), format).await?;
    Ok(())
}

/// Locks the device, which keeps udev and other drivers away while it is formatted.
fn claim(path: &Path) -> Result<File> {
    let doing = || format!("lock {}", path.display());
    let device = File::open(path).doing(doing)?;
    match flock(&device, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => {
            Err(Error::unfit(format!("{} is locked by another program", path.display())))
        }
        answer => {
            answer.doing(doing)?;
            Ok(device)
        }
    }
}
