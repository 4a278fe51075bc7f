//! Copies that share their bytes where that is possible, and keep their holes where it is not.

use std::fs::File;

use rustix::fs::ftruncate;

use super::clone::{clone_range, is_unable, pieces};
use super::copy::copy_extents;
use crate::sys::failure::{Doing, Result};

/// Makes the empty file `dst` equal to `src`. Returns whether the two share their bytes.
pub fn share_or_copy(src: &File, dst: &File) -> Result<bool> {
    let doing = || "copy a file";
    let length = src.metadata().doing(doing)?.len();
    for (offset, piece) in pieces(length) {
        match clone_range(src, dst, offset, piece) {
            Err(failure) if offset == 0 && is_unable(&failure) => {
                return copy_extents(src, dst).map(|_| false);
            }
            cloned => cloned?,
        }
    }
    // What is behind the last byte of a hole at the end.
    ftruncate(dst, length).doing(doing)?;
    Ok(true)
}
