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
use crate::sys::beneath::Dir;

/// Refuses to make a pool in a place where one of this name was in use already. One for trying out may be begun
/// again at any time.
pub(super) fn check_is_new(settings: &Settings) -> Result<()> {
    let is_trial = matches!(settings.place, Place::DefaultAt(_));
    if is_trial || !is_known(settings)? {
        return Ok(());
    }
    let (name, place, file) = (&settings.name, place(settings), file(settings));
    Err(Error::Missing(format!(
        "pool {name} was in {place} before, but there is no pool now: is its file system mounted? Is it \
         the right disk? To begin a new pool there, remove {file}",
        place = place.display(),
        file = file.display()
    )))
}

/// Says whether a pool of this name was in use in this place.
pub(super) fn is_known(settings: &Settings) -> Result<bool> {
    let file = file(settings);
    match fs::read(&file) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        read => Ok(read.doing(|| format!("read {}", file.display()))? == text(settings)),
    }
}

/// Remembers that the pool is here, whatever happens to the machine now. What is remembered already is not written
/// again: there may be no space.
pub(super) fn remember(settings: &Settings) -> Result<()> {
    if is_known(settings)? {
        return Ok(());
    }
    let dir = &settings.mount_dir;
    fs::create_dir_all(dir).doing(|| format!("make the directory {}", dir.display()))?;
    Dir::open(dir)?.write_atomically(file_name(settings), &text(settings))?;
    // The directory may have been made a moment ago.
    if let Some(parent) = dir.parent() {
        Dir::open(parent)?.sync()?;
    }
    Ok(())
}

fn text(settings: &Settings) -> Vec<u8> {
    let mut text = place(settings).as_os_str().as_encoded_bytes().to_vec();
    text.push(b'\n');
    text
}

/// The path that the config gives the pool, whatever is there.
fn place(settings: &Settings) -> &Path {
    match &settings.place {
        Place::Device(path)
        | Place::File { path, .. }
        | Place::Directory { path, .. }
        | Place::DefaultAt(path) => path,
    }
}

fn file(settings: &Settings) -> PathBuf {
    settings.mount_dir.join(file_name(settings))
}

/// No pool's mount point: a pool's name has no dot.
fn file_name(settings: &Settings) -> String {
    format!("{}.known", settings.name)
}
