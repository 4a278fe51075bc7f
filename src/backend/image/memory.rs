//! That a pool was here before: kept beside the pools, so that a missing disk is not taken for an empty one.
//!
//! Without it a driver that starts before the pool's disk is mounted would make a new pool in the mount point,
//! and answer that volumes which still exist are gone.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::error::{Error, Result};
use super::settings::{Place, Settings};
use crate::sys::Doing;

/// Refuses to make a pool in a directory where one of this name was in use already. A device or a file of the
/// pool's own cannot be missing unseen.
pub(super) fn check_is_new(settings: &Settings, root: &Path) -> Result<()> {
    if !matches!(settings.place, Place::Directory { .. }) {
        return Ok(());
    }
    let file = file(settings);
    let known = match fs::read_to_string(&file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        read => read.doing(|| format!("read {}", file.display()))?,
    };
    if Path::new(known.trim_end()) != root {
        return Ok(());
    }
    Err(Error::unfit(format!(
        "pool {} was in {root} before, but there is no pool now: is its file system mounted? To begin a new pool there, remove {file}",
        settings.name,
        root = root.display(),
        file = file.display()
    )))
}

/// Remembers that the pool is here. What is remembered already is not written again: there may be no space.
pub(super) fn remember(settings: &Settings, root: &Path) -> Result<()> {
    let file = file(settings);
    let doing = || format!("write {}", file.display());
    let mut text = root.as_os_str().to_owned();
    text.push("\n");
    if fs::read(&file).is_ok_and(|known| known == text.as_encoded_bytes()) {
        return Ok(());
    }
    fs::create_dir_all(&settings.mount_dir).doing(doing)?;
    Ok(fs::write(&file, text.as_encoded_bytes()).doing(doing)?)
}

/// No pool's mount point: a pool's name has no dot.
fn file(settings: &Settings) -> PathBuf {
    settings.mount_dir.join(format!("{}.known", settings.name))
}
