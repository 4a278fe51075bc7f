//! Whether two files share all of their bytes: whether a file is still what a copy of it was taken from.
//!
//! A write to bytes that are shared goes to another place on the disk, so that no byte has to be read.

use std::fs::File;

use crate::sys::Result;
use crate::sys::extents::{Extent, Extents};

/// Says whether the two files lie at the same places. Where the file system cannot tell, they do not.
pub(super) fn share_all(one: &File, other: &File) -> Result<bool> {
    let (mut ones, mut others) = (written(one), written(other));
    let (mut a, mut b) = (ones.next().transpose()?, others.next().transpose()?);
    loop {
        let (Some(x), Some(y)) = (&mut a, &mut b) else { return Ok(a.is_none() && b.is_none()) };
        let alike = x.logical == y.logical && x.physical == y.physical;
        if !alike || !x.has_place() || !y.has_place() {
            return Ok(false);
        }
        // One may list as two extents what the other lists as one.
        let length = x.length.min(y.length);
        if !forward(x, length) {
            a = ones.next().transpose()?;
        }
        if !forward(y, length) {
            b = others.next().transpose()?;
        }
    }
}

/// What was only allocated reads as a hole does, and is one in a copy.
fn written(file: &File) -> impl Iterator<Item = Result<Extent>> {
    Extents::synced(file).filter(|extent| !matches!(extent, Ok(extent) if extent.is_unwritten()))
}

/// Leaves the first bytes of the extent behind, and says whether anything is left of it.
fn forward(extent: &mut Extent, length: u64) -> bool {
    extent.logical = extent.logical.saturating_add(length);
    extent.physical = extent.physical.saturating_add(length);
    extent.length = extent.length.saturating_sub(length);
    extent.length > 0
}
