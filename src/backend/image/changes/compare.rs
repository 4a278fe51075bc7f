//! Where two images differ, found from where their extents lie.
//!
//! The two may be cut into extents differently though they share every byte, because the kernel cuts an extent
//! wherever others share a part of it. So what is compared is the place of each byte, not the extents.

use std::iter::{Empty, empty};
use std::ops::Range;

use crate::backend::Part;
use crate::sys::Result;
use crate::sys::extents::Extent;

/// How many ranges a part has at most: 256 KiB. The extents that were asked for behind its end are asked for again
/// by the next part, so it should not be too small.
const MOST_RANGES: usize = 1 << 14;

/// How many pieces are looked at for a part, so that a long stretch without a change ends, too.
const MOST_PIECES: usize = 1 << 16;

/// What an image holds at a byte.
#[derive(Debug, Clone, Copy)]
enum Content {
    /// Zeros: nothing was ever written there.
    Zeros,
    /// What lies at a place: how far, around the end of the numbers, it is from the byte's own position. It is the
    /// same for all bytes of an extent, and for two images exactly where they share their bytes.
    At(u64),
    /// Something, but there is no place to know it by.
    Unknown,
}

/// An image's content in the order of its bytes.
#[derive(Debug)]
pub(super) struct Pieces<I> {
    extents: I,
    /// The extent that was looked at last, or the one behind that.
    current: Option<Extent>,
    size: u64,
}

/// Returns where in `span` the target differs from the base: as much of it as goes into a part.
pub(super) fn differences(
    mut base: Pieces<impl Iterator<Item = Result<Extent>>>,
    mut target: Pieces<impl Iterator<Item = Result<Extent>>>,
    span: Range<u64>,
) -> Result<Part> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    let mut at = span.start;
    for _ in 0..MOST_PIECES {
        if at >= span.end {
            return Ok(Part { ranges, next: None });
        }
        let (old, old_end) = base.at(at)?;
        let (new, new_end) = target.at(at)?;
        let end = old_end.min(new_end).min(span.end);
        if !old.is_surely(new) {
            let is_full = ranges.len() == MOST_RANGES;
            match ranges.last_mut().filter(|last| last.end == at) {
                Some(last) => last.end = end,
                None if is_full => break,
                None => ranges.push(at..end),
            }
        }
        at = end;
    }
    Ok(Part { ranges, next: (at < span.end).then_some(at) })
}

// === impl Content ===

impl Content {
    fn of(extent: &Extent) -> Self {
        match (extent.has_place(), extent.is_unwritten()) {
            (false, _) => Self::Unknown,
            (true, true) => Self::Zeros,
            (true, false) => Self::At(extent.physical.wrapping_sub(extent.logical)),
        }
    }

    /// Says whether the two are equal beyond doubt.
    fn is_surely(self, other: Self) -> bool {
        match (self, other) {
            (Self::Zeros, Self::Zeros) => true,
            (Self::At(place), Self::At(other)) => place == other,
            (Self::Zeros | Self::At(_) | Self::Unknown, _) => false,
        }
    }
}

// === impl Pieces ===

impl Pieces<Empty<Result<Extent>>> {
    /// Returns what an image is in which nothing was written.
    pub(super) fn zeros() -> Self {
        Self::new(empty(), 0)
    }
}

impl<I: Iterator<Item = Result<Extent>>> Pieces<I> {
    /// Returns the content of an image of this size, which is what has these extents. What lies behind the size is
    /// not the image's.
    pub(super) fn new(extents: I, size: u64) -> Self {
        Self { extents, current: None, size }
    }

    /// Returns what is at the byte, and where it ends. Each call is for a later byte than the one before.
    fn at(&mut self, at: u64) -> Result<(Content, u64)> {
        if at >= self.size {
            return Ok((Content::Zeros, u64::MAX));
        }
        while self.current.is_none_or(|extent| extent.end() <= at) {
            match self.extents.next() {
                Some(extent) => self.current = Some(extent?),
                None => return Ok((Content::Zeros, u64::MAX)),
            }
        }
        Ok(match self.current {
            Some(extent) if extent.logical <= at => {
                (Content::of(&extent), extent.end().min(self.size))
            }
            Some(extent) => (Content::Zeros, extent.logical),
            None => (Content::Zeros, u64::MAX),
        })
    }
}

#[cfg(test)]
mod tests;
