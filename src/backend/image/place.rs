//! Finds the directory that a pool is, and mounts what has to be mounted for that.
//!
//! A device or file of the pool's own is mounted below the driver's mount directory, and stays mounted when the
//! driver ends: the next one finds it. What is mounted or attached is asked of the kernel each time.

mod device;
mod file;
mod mounted;
mod owner;
mod trial;

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::error::{Error, Result};
use super::identity::Identity;
use super::layout;
use super::ledger::{Outside, Space};
use super::settings::{Place, Provisioning, Settings};
use crate::sys::failure::Doing;
use crate::sys::{blocking, statvfs};
use crate::volume::Bytes;

/// A pool's directory, and what bounds its space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Located {
    /// The directory.
    pub(super) root: PathBuf,
    /// A directory on the file system that a sparse pool file takes its blocks from.
    pub(super) outside: Option<PathBuf>,
    /// Whether others fill the same file system.
    pub(super) shared: bool,
    /// Whether its file system was mounted just now, and not by an earlier driver.
    pub(super) fresh: bool,
}

/// What has to be true of a pool before its file system is mounted.
pub(super) type Check = fn(&Identity, &Settings) -> Result<()>;

/// Where the data is, with nothing left to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Chosen {
    Device(PathBuf),
    File { path: PathBuf, size: Bytes, sparse: bool },
    Directory(PathBuf),
}

/// Finds the pool's directory, and makes and mounts what is not there yet. What fails the check is not mounted, as far
/// as that can be seen without its log: whoever reads the pool then has to check it again.
pub(super) async fn prepare(settings: &Settings, identity: Check) -> Result<Located> {
    check(settings)?;
    match choose(settings).await? {
        Chosen::Directory(path) => {
            let root = path.clone();
            blocking(move || make_directory(&path)).await?;
            Ok(Located { root, outside: None, shared: true, fresh: false })
        }
        Chosen::Device(path) => {
            mounted::check_propagation(settings).await?;
            let fresh = device::prepare(&path, settings, identity).await?;
            Ok(Located { root: settings.mount_point(), outside: None, shared: false, fresh })
        }
        Chosen::File { path, size, sparse } => {
            mounted::check_propagation(settings).await?;
            let outside = path.parent().filter(|_| sparse).map(PathBuf::from);
            let file = file::PoolFile { path, size, sparse };
            let fresh = file::prepare(file, settings, identity).await?;
            Ok(Located { root: settings.mount_point(), outside, shared: false, fresh })
        }
    }
}

/// Says whether the pool's own file system, if it has one, is mounted where the driver mounts it.
pub(super) async fn is_mounted(settings: &Settings) -> Result<bool> {
    let settings = settings.clone();
    blocking(move || {
        Ok(match &settings.place {
            Place::Directory { .. } => true,
            Place::DefaultAt(base) => match trial::found(base, &settings.name)? {
                Some(Chosen::Directory(_)) | None => true,
                Some(Chosen::File { .. } | Chosen::Device(_)) => mounted::root(&settings).is_ok(),
            },
            Place::Device(_) | Place::File { .. } => mounted::root(&settings).is_ok(),
        })
    })
    .await
}

/// Finds the directory of a pool that a driver has made and mounted, and changes nothing.
pub(super) async fn find(settings: &Settings) -> Result<PathBuf> {
    let settings = settings.clone();
    blocking(move || match &settings.place {
        Place::Directory { path, .. } => {
            let volumes = path.join(layout::VOLUMES);
            if volumes.try_exists().doing(|| format!("look at {}", volumes.display()))? {
                return Ok(path.clone());
            }
            let (name, path) = (&settings.name, path.display());
            Err(Error::unfit(format!(
                "there is no pool {name} in {path}: the first start of the driver makes it; or is its file system not \
                 mounted?"
            )))
        }
        Place::DefaultAt(base) => match trial::found(base, &settings.name)? {
            Some(Chosen::Directory(path)) => Ok(path),
            Some(_) => mounted::root(&settings),
            None => Err(mounted::absent(&settings)),
        },
        Place::Device(_) | Place::File { .. } => mounted::root(&settings),
    })
    .await
}

/// Says whether a driver has made the pool before.
pub(super) async fn is_made(settings: &Settings) -> Result<bool> {
    let settings = settings.clone();
    blocking(move || {
        let exists =
            |path: &Path| path.try_exists().doing(|| format!("look at {}", path.display()));
        Ok(match &settings.place {
            Place::Device(path) => device::is_made(path, &settings)?,
            Place::File { path, .. } => exists(path)?,
            Place::Directory { path, .. } => exists(&path.join(layout::POOL))?,
            Place::DefaultAt(base) => trial::found(base, &settings.name)?.is_some(),
        })
    })
    .await
}

/// Says why the pool cannot be where the config has it, if that can be seen without changing anything.
pub(super) async fn obstacle(settings: &Settings) -> Result<()> {
    check(settings)?;
    match &settings.place {
        Place::Device(path) => device::check(path, settings).await,
        Place::File { path, size } => {
            let file = file::PoolFile { path: path.clone(), size: *size, sparse: false };
            blocking(move || match file.path.try_exists() {
                Ok(true) => file::check(&file),
                // Whether there is room for it is found out when it is made.
                Ok(false) | Err(_) => Ok(()),
            })
            .await
        }
        Place::Directory { .. } | Place::DefaultAt(_) => Ok(()),
    }
}

async fn choose(settings: &Settings) -> Result<Chosen> {
    Ok(match &settings.place {
        Place::Device(path) => Chosen::Device(path.clone()),
        Place::File { path, size } => {
            Chosen::File { path: path.clone(), size: *size, sparse: false }
        }
        Place::Directory { path, .. } => Chosen::Directory(path.clone()),
        Place::DefaultAt(base) => {
            let (base, name) = (base.clone(), settings.name.clone());
            blocking(move || trial::choose(&base, &name)).await?
        }
    })
}

/// Makes a directory, and those that hold it: only root looks into a pool.
fn make_directory(path: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    Ok(made.doing(|| format!("make the directory {}", path.display()))?)
}

fn check(settings: &Settings) -> Result<()> {
    let Settings { name, place, provisioning, .. } = settings;
    match place {
        Place::Directory { path, shared_accepted: false }
            if *provisioning == Provisioning::Thick =>
        {
            Err(Error::unfit(format!(
                "others can fill the file system of {}: pool {name} there is thin, unless the config accepts that with \
                 `shared: accepted`",
                path.display()
            )))
        }
        Place::Device(_) | Place::File { .. } | Place::Directory { .. } | Place::DefaultAt(_) => {
            Ok(())
        }
    }
}

// === impl Located ===

impl Located {
    /// Unmounts what was mounted just now: the pool is refused, and may be another's.
    pub(super) fn take_back(&self) {
        if self.fresh {
            mounted::unmount(&self.root);
        }
    }

    /// Returns what space there is now.
    pub(super) fn space(&self) -> crate::sys::Result<Space> {
        let inside = statvfs::usage(&self.root)?;
        let outside = self.outside.as_deref().map(statvfs::usage).transpose()?;
        let outside = outside.map(|usage| Outside {
            total: Bytes(usage.total_bytes),
            free: Bytes(usage.available_bytes),
        });
        let free = Bytes(inside.available_bytes);
        Ok(Space {
            total: Bytes(inside.total_bytes),
            free: outside.map_or(free, |outside| free.min(outside.free)),
            outside,
            shared: self.shared,
        })
    }
}
