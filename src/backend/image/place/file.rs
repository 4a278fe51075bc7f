//! A pool in a file of its own: made once, then attached to a loop device and mounted.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FlockOperation, OFlags, RenameFlags, flock, renameat_with};

use super::{Check, mounted, owner};
use crate::backend::image::error::{Error, Result};
use crate::backend::image::memory;
use crate::backend::image::settings::Settings;
use crate::backend::image::superblock::{self, Ours};
use crate::fs;
use crate::sys::failure::Doing;
use crate::sys::loopdev::{self, AttachOptions};
use crate::sys::{blocking, reflink, statvfs};
use crate::volume::{Bytes, FsType};

/// How the pool's file is attached: it goes with its mount.
const ATTACH: AttachOptions =
    AttachOptions { read_only: false, block_size: 4096, direct_io: true, autoclear: true };

/// The pool's file as the config has it.
#[derive(Debug, Clone)]
pub(super) struct PoolFile {
    pub(super) path: PathBuf,
    /// Zero for one that exists, whatever its size.
    pub(super) size: Bytes,
    /// Whether its blocks come when they are written.
    pub(super) sparse: bool,
}

/// Sees to it that the file exists and its file system is mounted. Returns whether it was not before.
pub(super) async fn prepare(file: PoolFile, settings: &Settings, identity: Check) -> Result<bool> {
    let point = settings.mount_point();
    let (lock, exists) = {
        let (path, point) = (file.path.clone(), point.clone());
        blocking(move || -> Result<_> {
            let lock = mounted::lock_point(&point)?;
            let exists = path.try_exists().doing(|| format!("look at {}", path.display()))?;
            Ok((lock, exists))
        })
        .await?
    };
    if !exists {
        let settings = settings.clone();
        blocking(move || memory::check_is_new(&settings)).await?;
        make(&file).await?;
    }
    let settings = settings.clone();
    blocking(move || {
        let mounted = check(&file).and_then(|()| mount(&file, &settings, identity));
        drop(lock);
        mounted
    })
    .await
}

/// Makes the file under another name, so that what has its name is whole.
async fn make(file: &PoolFile) -> Result<()> {
    let building = {
        let mut name = file.path.clone().into_os_string();
        name.push(".new");
        PathBuf::from(name)
    };
    let image = {
        let (building, file) = (building.clone(), file.clone());
        blocking(move || begin(&building, &file)).await?
    };
    let made = complete(file, &building, image).await;
    if made.is_err() {
        blocking(move || remove(&building)).await;
    }
    made
}

/// Puts a file system into the file, and gives it its name.
async fn complete(file: &PoolFile, building: &Path, image: File) -> Result<()> {
    let format =
        fs::Format { fs: FsType::Xfs, uuid: Some(superblock::new_uuid()), thin: file.sparse };
    let lock = image.try_clone().doing(|| format!("open {}", building.display()))?;
    fs::format(building, lock.into(), format).await?;
    let (building, path) = (building.to_owned(), file.path.clone());
    blocking(move || finish(&image, &building, &path)).await
}

/// Makes a file of the wanted size, and locks it against another driver that does the same.
fn begin(building: &Path, file: &PoolFile) -> Result<File> {
    let doing = || format!("make {}", building.display());
    let parent = building.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(parent).doing(|| format!("make the directory {}", parent.display()))?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let no_link = OFlags::NOFOLLOW.bits().cast_signed();
    let image = options.custom_flags(no_link).open(building).doing(doing)?;
    flock(&image, FlockOperation::NonBlockingLockExclusive).doing(doing)?;
    let filled = fill(&image, parent, file);
    if filled.is_err() {
        remove(building);
    }
    filled.map(|()| image)
}

fn fill(image: &File, parent: &Path, file: &PoolFile) -> Result<()> {
    let doing = || format!("give {} its size", file.path.display());
    image.set_len(0).doing(doing)?;
    let free = Bytes(statvfs::usage(parent)?.available_bytes);
    if !file.sparse && file.size > free {
        return Err(Error::Full { place: parent.display().to_string(), asked: file.size, free });
    }
    image.set_len(file.size.0).doing(doing)?;
    if !file.sparse {
        reflink::allocate(image, file.size.0)?;
    }
    Ok(())
}

/// Removes a file that was not completed, whose lock we have: its blocks would be missing.
fn remove(building: &Path) {
    if let Err(error) = std::fs::remove_file(building) {
        tracing::debug!(%error, building = %building.display(), "not removed");
    }
}

/// Gives the file its name, when all of it is on the disk.
fn finish(image: &File, building: &Path, path: &Path) -> Result<()> {
    let doing = || format!("give {} its name", building.display());
    image.sync_all().doing(doing)?;
    renameat_with(CWD, building, CWD, path, RenameFlags::NOREPLACE).doing(doing)?;
    let parent = path.parent().unwrap_or(Path::new("/"));
    Ok(File::open(parent).and_then(|parent| parent.sync_all()).doing(doing)?)
}

/// Checks that the file is one that we made, and no larger than the config says.
pub(super) fn check(file: &PoolFile) -> Result<()> {
    let path = file.path.display();
    let metadata = std::fs::metadata(&file.path).doing(|| format!("look at {path}"))?;
    if !metadata.is_file() || superblock::look(&file.path)? != Some(Ours::Whole) {
        return Err(Error::unfit(format!(
            "{path} exists and is not a pool that Orlop made: name another file, or remove it if it is of no use"
        )));
    }
    let size = Bytes(metadata.size());
    if file.size > Bytes::ZERO && size > file.size {
        return Err(Error::unfit(format!(
            "{path} has {size}, and the config gives it {}: a pool can grow and not shrink; set its size to {size} or more",
            file.size
        )));
    }
    Ok(())
}

/// Makes the file as large as the config says, with all its blocks. It has its new length only when it has them.
fn lengthen(file: &PoolFile) -> Result<()> {
    let doing = || format!("open {}", file.path.display());
    let image = OpenOptions::new().write(true).open(&file.path).doing(doing)?;
    let missing = file.size.less(Bytes(image.metadata().doing(doing)?.len()));
    if missing == Bytes::ZERO {
        return Ok(());
    }
    let parent = file.path.parent().unwrap_or(Path::new("/"));
    let free = Bytes(statvfs::usage(parent)?.available_bytes);
    if missing > free {
        return Err(Error::Full { place: parent.display().to_string(), asked: missing, free });
    }
    reflink::allocate(&image, file.size.0)?;
    image.sync_all().doing(|| format!("write {} to the disk", file.path.display()))?;
    tracing::info!(path = %file.path.display(), size = %file.size, "the pool's file has grown");
    Ok(())
}

/// Mounts the file's one loop device, and returns whether it was not mounted before. Where the mount namespace of an
/// earlier driver has died, its volumes keep the file system alive without a mount: then only that same device can be
/// mounted again.
fn mount(file: &PoolFile, settings: &Settings, identity: Check) -> Result<bool> {
    let point = settings.mount_point();
    let attached = loopdev::attach(&file.path, ATTACH)?;
    let device = &attached.device;
    let is_mounted = mounted::is_there(&point, device.number)?;
    if !is_mounted {
        owner::check(&device.path, settings, identity)?;
    }
    lengthen(file)?;
    // It is from before the file has grown.
    loopdev::set_capacity(device)?;
    if !is_mounted {
        mounted::mount_pool(&device.path, &point, file.sparse)?;
    }
    mounted::grow(&point);
    Ok(!is_mounted)
}
