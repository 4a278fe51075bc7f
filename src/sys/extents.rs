//! Where in its file system a file's bytes lie.
//!
//! Two files whose extents lie at the same place share those bytes; what has no extent was never written.

mod request;

use std::fs::File;

use linux_raw_sys::ioctl::{
    FIEMAP_EXTENT_DATA_INLINE, FIEMAP_EXTENT_DELALLOC, FIEMAP_EXTENT_ENCODED, FIEMAP_EXTENT_LAST,
    FIEMAP_EXTENT_NOT_ALIGNED, FIEMAP_EXTENT_SHARED, FIEMAP_EXTENT_UNKNOWN,
    FIEMAP_EXTENT_UNWRITTEN, FIEMAP_FLAG_SYNC,
};

use super::failure::{Doing, Result};

/// A piece of a file that lies in one piece on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Where in the file it begins.
    pub logical: u64,
    /// Where on the device it begins; meaningless unless [`Extent::has_place`].
    pub physical: u64,
    /// How many bytes it has.
    pub length: u64,
    /// The kernel's flags, `FIEMAP_EXTENT_…`.
    pub flags: u32,
}

/// The extents of a file in the order of its bytes, asked for in batches.
///
/// Of a file that is being written it shows no single moment.
#[derive(Debug)]
pub struct Extents<'a> {
    file: &'a File,
    flags: u32,
    /// Where in the file the next batch begins; nothing when there is no more.
    next: Option<u64>,
    batch: std::vec::IntoIter<Extent>,
}

/// Returns how many bytes of the file system the file has for itself or shares.
pub fn allocated(file: &File) -> Result<u64> {
    Extents::of(file).try_fold(0, |sum: u64, extent| Ok(sum.saturating_add(extent?.length)))
}

/// Returns in how many pieces the file lies.
pub fn count(file: &File) -> Result<u32> {
    request::count(file).doing(doing)
}

/// Returns in how many pieces the file lies as its inode says it, without a look at any of them. Zero where the file
/// system keeps no such number: XFS does.
pub fn recorded(file: &File) -> Result<u32> {
    request::recorded(file).doing(|| "read how many extents a file has")
}

fn doing() -> String {
    "list the extents of a file".to_owned()
}

// === impl Extent ===

impl Extent {
    /// Returns where the extent ends in the file.
    pub fn end(&self) -> u64 {
        self.logical.saturating_add(self.length)
    }

    /// Says whether the file system has given it space but nothing was written: it reads as zeros.
    pub fn is_unwritten(&self) -> bool {
        self.flags & FIEMAP_EXTENT_UNWRITTEN != 0
    }

    /// Says whether another file has the same bytes at the same place.
    pub fn is_shared(&self) -> bool {
        self.flags & FIEMAP_EXTENT_SHARED != 0
    }

    /// Says whether `physical` is a place by which two files can be compared.
    pub fn has_place(&self) -> bool {
        const WITHOUT: u32 = FIEMAP_EXTENT_UNKNOWN
            | FIEMAP_EXTENT_DELALLOC
            | FIEMAP_EXTENT_ENCODED
            | FIEMAP_EXTENT_DATA_INLINE
            | FIEMAP_EXTENT_NOT_ALIGNED;
        self.flags & WITHOUT == 0
    }
}

// === impl Extents ===

impl<'a> Extents<'a> {
    /// Returns the extents of `file` as they are; data not yet written to the device may have no place.
    pub fn of(file: &'a File) -> Self {
        Self { file, flags: 0, next: Some(0), batch: Vec::new().into_iter() }
    }

    /// Returns the extents of `file` after the kernel has written it to the device.
    pub fn synced(file: &'a File) -> Self {
        Self { flags: FIEMAP_FLAG_SYNC, ..Self::of(file) }
    }

    /// Leaves out what ends at or before this byte. The first extent may begin before it.
    #[must_use]
    pub fn from(self, start: u64) -> Self {
        Self { next: Some(start), ..self }
    }

    fn fetch(&mut self, start: u64) -> Result<()> {
        let extents = request::batch(self.file, start, self.flags).doing(doing)?;
        // A batch can end anywhere; only the flag says that the file ends with it.
        self.next = match extents.last() {
            Some(last) if last.flags & FIEMAP_EXTENT_LAST == 0 => Some(last.end()),
            Some(_) | None => None,
        };
        self.batch = extents.into_iter();
        Ok(())
    }
}

impl Iterator for Extents<'_> {
    type Item = Result<Extent>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(extent) = self.batch.next() {
                return Some(Ok(extent));
            }
            let start = self.next.take()?;
            if let Err(failure) = self.fetch(start) {
                return Some(Err(failure));
            }
        }
    }
}
