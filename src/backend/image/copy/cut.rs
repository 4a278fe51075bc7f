//! Takes a copy of an image at one instant.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::time::Duration;

use super::Error;
use super::frozen::freeze_volume;
use crate::fault;
use crate::sys::beneath::Dir;
use crate::sys::mountinfo::Mount;
use crate::sys::reflink::{clone_range, copy_extents, pieces};
use crate::sys::{self, DeviceNumber, Doing};
use crate::volume::Bytes;

/// The copy to take.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// The image to copy.
    pub source: &'a Path,
    /// The file to make, which must not exist.
    pub target: &'a Path,
    /// A mount of the source's file system, if one may be written to.
    pub mounted: Option<&'a Mount>,
    /// The device whose limits would hold a freeze up, if the volume has any.
    pub limited: Option<DeviceNumber>,
    /// The device that the source is attached to as a raw block volume, if it is.
    pub device: Option<&'a Path>,
    /// The directory of the source's volume, for the marker.
    pub volume: &'a Dir,
    /// For how long writers may be held up.
    pub freeze_limit: Duration,
    /// Whether files of this pool can share their bytes.
    pub reflink: bool,
}

/// Takes the copy, and waits until it is on the disk. After an error there may be part of a target, which the
/// caller discards.
///
/// A file system is frozen for the moment. A raw block device cannot be: its copy is what a power cut would
/// leave. Blocks until done, which can be seconds.
pub fn cut(wish: &Wish<'_>) -> Result<(), Error> {
    let in_use = wish.mounted.is_some() || wish.device.is_some();
    if in_use && !wish.reflink {
        return Err(Error::Busy);
    }
    let (source, target, size) = open(wish)?;
    if let Some(device) = wish.device {
        sys::block::sync(device)?;
    }
    match wish.mounted {
        Some(mount) => clone_frozen(wish, mount, &source, &target, size)?,
        None if wish.reflink => clone_whole(&source, &target, size)?,
        None => copy_extents(&source, &target).map(drop).map_err(Error::of_copy(size))?,
    }
    fault::point("cut: copied");
    // Not before: writers do not wait for our disk.
    let synced = target.sync_all().doing(|| format!("write {} to the disk", wish.target.display()));
    synced.map_err(Error::of_copy(size))
}

fn open(wish: &Wish<'_>) -> Result<(File, File, Bytes), Error> {
    let source = File::open(wish.source).doing(|| format!("open {}", wish.source.display()))?;
    let length = source.metadata().doing(|| format!("look at {}", wish.source.display()))?.len();
    let size = Bytes(length);
    let target = OpenOptions::new().write(true).create_new(true).open(wish.target);
    let target = target.doing(|| format!("make {}", wish.target.display()));
    Ok((source, target.map_err(Error::of_copy(size))?, size))
}

/// Clones a mounted volume while nobody can write to it, and gives up when that takes too long.
fn clone_frozen(
    wish: &Wish<'_>,
    mount: &Mount,
    source: &File,
    target: &File,
    size: Bytes,
) -> Result<(), Error> {
    let frozen = freeze_volume(wish.volume, mount, wish.limited, wish.freeze_limit)?;
    clone(source, target, size, || frozen.within_limit())?;
    frozen.thaw()
}

/// Clones all of `source` in one call: the kernel holds the file's writers up as long as the call lasts, so that
/// even a raw device that nobody can freeze is copied at one instant.
fn clone_whole(source: &File, target: &File, size: Bytes) -> Result<(), Error> {
    clone_range(source, target, 0, size.0).map_err(Error::of_copy(size))?;
    fault::point("cut: cloned");
    Ok(())
}

/// Clones all of `source`, and asks before each piece whether to go on: the freeze, too, may have taken any time.
fn clone(
    source: &File,
    target: &File,
    size: Bytes,
    go_on: impl Fn() -> Result<(), Error>,
) -> Result<(), Error> {
    for (offset, length) in pieces(size.0) {
        go_on()?;
        clone_range(source, target, offset, length).map_err(Error::of_copy(size))?;
        fault::point("cut: cloned a piece");
    }
    Ok(())
}
