//! Where the pool is that nobody configured: for trying the driver out, and said so at start.

use std::path::{Path, PathBuf};

use super::Chosen;
use crate::backend::image::error::{Error, Result};
use crate::backend::image::layout;
use crate::backend::image::settings::Percent;
use crate::sys::failure::Doing;
use crate::sys::{reflink, statvfs};
use crate::volume::Bytes;

/// How much of the free space a pool file can grow to.
const SHARE: Percent = Percent(80);

/// With less there is nothing to try.
const LEAST: Bytes = Bytes::gib(1);

const DIRECTORY: &str = "a directory on a file system that others fill, too";
const FILE: &str = "a sparse file on a file system that others fill, too";

/// Returns where the pool is, or is to be.
pub(super) fn choose(base: &Path, name: &str) -> Result<Chosen> {
    if let Some(found) = found(base, name)? {
        match &found {
            Chosen::File { path, .. } => warn(name, path, FILE),
            Chosen::Directory(path) | Chosen::Device(path) => warn(name, path, DIRECTORY),
        }
        return Ok(found);
    }
    std::fs::create_dir_all(base).doing(|| format!("make the directory {}", base.display()))?;
    let directory = directory(base, name);
    if reflink::supports_reflink(base)? {
        warn(name, &directory, DIRECTORY);
        return Ok(Chosen::Directory(directory));
    }
    let size = SHARE.of(Bytes(statvfs::usage(base)?.available_bytes)).round_down(1 << 20);
    if size < LEAST {
        let base = base.display();
        return Err(Error::unfit(format!(
            "{base} has room for a pool of {size} only: give pool {name} a place"
        )));
    }
    let path = file(base, name);
    warn(name, &path, FILE);
    Ok(Chosen::File { path, size, sparse: true })
}

/// Returns where the pool is, if it was made before.
pub(super) fn found(base: &Path, name: &str) -> Result<Option<Chosen>> {
    let (directory, path) = (directory(base, name), file(base, name));
    let exists = |path: &Path| path.try_exists().doing(|| format!("look at {}", path.display()));
    if exists(&path)? {
        return Ok(Some(Chosen::File { path, size: Bytes::ZERO, sparse: true }));
    }
    Ok(exists(&directory.join(layout::POOL))?.then_some(Chosen::Directory(directory)))
}

fn directory(base: &Path, name: &str) -> PathBuf {
    base.join(name)
}

fn file(base: &Path, name: &str) -> PathBuf {
    base.join(format!("{name}.img"))
}

fn warn(name: &str, place: &Path, what: &str) {
    tracing::warn!(
        pool = name,
        place = %place.display(),
        "no pool is configured: using {what}, which is for trying out and keeps no promise of space",
    );
}
