//! Gives back what mkfs took without need: the log of an XFS, 64 MiB of zeros, and the inode tables that an older
//! mkfs.ext4 writes.

use std::fs::OpenOptions;
use std::path::Path;

use crate::sys::extents::{Extent, Extents};
use crate::sys::reflink::{punch_hole, punch_zeros};
use crate::sys::{Doing, Result};

/// A file system that has been written with less than this is what it must be: looking for single blocks of
/// zeros in it would cost more than making it.
const WORTH_READING: u64 = 16 << 20;

/// Makes holes of the zeros in the image.
pub(super) fn release(image: &Path) -> Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(image);
    let file = file.doing(|| format!("open {}", image.display()))?;
    let extents = Extents::synced(&file).collect::<Result<Vec<_>>>()?;
    // Where the pool's file system can, mkfs zeroes by FALLOC_FL_ZERO_RANGE, which takes the space and writes
    // nothing: then nothing has to be read to know what is there.
    let (unwritten, written): (Vec<_>, Vec<_>) =
        extents.into_iter().partition(Extent::is_unwritten);
    for extent in unwritten {
        punch_hole(&file, extent.logical, extent.length)?;
    }
    if written.iter().map(|extent| extent.length).sum::<u64>() > WORTH_READING {
        punch_zeros(&file)?;
    }
    Ok(())
}
