//! A snapshot's map: where the bytes of its image lie, listed once, when it is cut.
//!
//! To ask the kernel takes three microseconds for each extent, because XFS looks up who else shares it; and the
//! more a volume changes after a snapshot, the more pieces the snapshot's own extents are told in. In a map they
//! are as they were.
//!
//! A map that is wrong would lose a change in a backup, so it is only believed as long as nothing can have moved
//! what it lists: the image is made immutable before it is listed, and the map says what it was known by then. It
//! is written without waiting for the disk, as every page proves itself. Whoever finds no map, or a page that is
//! none, asks the kernel as if there had never been one.

mod page;

use std::fs::File;
use std::io::{BufWriter, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;

use crate::backend::image::layout;
use crate::backend::image::store::{is_file, look, read_image};
use crate::fault;
use crate::sys::beneath::{Dir, How};
use crate::sys::extents::{self, Extent, Extents};
use crate::sys::failure::Doing as _;
use crate::sys::seal::{self, Seal};
use crate::sys::{Failure, Result, lease, statvfs};
use page::Salt;

/// "ORLOPMAP", read as a number.
const MAGIC: u64 = u64::from_be_bytes(*b"ORLOPMAP");
const VERSION: u64 = 1;

/// No map is made of an image in more pieces: it takes three seconds to list so many, and 24 MiB to keep them.
const MOST_PIECES: u32 = 1 << 20;

/// A map takes no more than so small a part of the free space, of which nothing was promised to it.
const PART_OF_FREE: u64 = 100;

/// An extent's numbers: where in the image it begins, where on the device, and its length.
const PER_EXTENT: usize = 3;
const EXTENT: u64 = 24;

/// How many bytes of a map are written at once.
const AT_ONCE: usize = 16 * page::SIZE;

/// A map that can be believed.
#[derive(Debug)]
pub(super) struct Map {
    file: File,
    salt: Salt,
    /// How many pages have extents.
    pages: u64,
}

/// The extents of a map in the order of the image's bytes.
#[derive(Debug)]
pub(super) struct Listed {
    map: Map,
    /// The page to read next.
    next: u64,
    page: std::vec::IntoIter<Extent>,
}

/// A page is not there, or is not what was written.
#[derive(Debug)]
pub(super) struct Damaged;

/// A map that is being written.
struct Writer {
    file: BufWriter<File>,
    seal: Seal,
    salt: Salt,
    /// How many pages with extents are written.
    pages: u64,
    numbers: Vec<u64>,
}

/// Makes the image in `dir` immutable, and writes its map beside it.
///
/// A snapshot is none the worse without, so whatever prevents it is told to the log only.
pub(in crate::backend::image) fn keep(dir: &Dir) {
    if let Err(failure) = try_to_keep(dir) {
        tracing::debug!(cause = %failure.source, "{failure}: the kernel is asked where its bytes lie");
        if let Err(left) = dir.remove_file(layout::EXTENTS) {
            tracing::warn!(cause = %left.source, "{left}");
        }
    }
}

fn try_to_keep(dir: &Dir) -> Result<()> {
    let image = read_image(dir)?;
    let Some(seal) = seal::set(&image)? else { return Ok(()) };
    fault::point("cut: image sealed");
    let doing = || format!("write {}", dir.path_of(layout::EXTENTS).display());
    // Whoever has it open for writing could still change it.
    let obstacle = if lease::has_writer(&image)? {
        Some("somebody has the image open for writing")
    } else if !is_room(dir, extents::recorded(&image)?)? {
        Some("there is too little free space")
    } else {
        None
    };
    if let Some(obstacle) = obstacle {
        return Err(Failure::new(doing(), std::io::Error::other(obstacle)));
    }
    let file = dir.open_file(layout::EXTENTS, How::CreateNew)?;
    let written = Writer::begin(file, seal).doing(doing)?.all_of(&image, doing);
    fault::point("cut: map written");
    written
}

fn is_room(dir: &Dir, extents: u32) -> Result<bool> {
    let free = statvfs::usage(dir.path())?.available_bytes;
    Ok(u64::from(extents) * EXTENT <= free / PART_OF_FREE)
}

// === impl Writer ===

impl Writer {
    /// Begins behind the first page, which is written last: before, there is no map.
    fn begin(file: File, seal: Seal) -> std::io::Result<Self> {
        let mut file = BufWriter::with_capacity(AT_ONCE, file);
        file.seek(SeekFrom::Start(page::SIZE as u64))?;
        let (salt, numbers) = (Salt::of(&known_by(&seal)), Vec::with_capacity(page::ROOM));
        Ok(Self { file, seal, salt, pages: 0, numbers })
    }

    fn all_of(mut self, image: &File, doing: impl Fn() -> String) -> Result<()> {
        let refused = |reason| Err(Failure::new(doing(), std::io::Error::other(reason)));
        let mut last: Option<Extent> = None;
        for (extent, piece) in Extents::synced(image).zip(0..) {
            let extent = extent?;
            // Many more than the image has of its own, where others share a part of it here and there.
            if piece == MOST_PIECES {
                return refused("the image lies in too many pieces");
            }
            if !extent.has_place() {
                return refused("a part of the image has no place");
            }
            if extent.is_unwritten() {
                continue;
            }
            match &mut last {
                // It is cut where others share a part of it.
                Some(last) if goes_on(last, &extent) => last.length += extent.length,
                last => {
                    last.replace(extent).map_or(Ok(()), |last| self.add(&last)).doing(&doing)?;
                }
            }
        }
        last.map_or(Ok(()), |last| self.add(&last)).and_then(|()| self.end()).doing(&doing)
    }

    fn add(&mut self, extent: &Extent) -> std::io::Result<()> {
        if self.numbers.len() + PER_EXTENT > page::ROOM {
            self.flush()?;
        }
        self.numbers.extend([extent.logical, extent.physical, extent.length]);
        Ok(())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.pages += 1;
        let page = page::write(&self.numbers, self.salt, self.pages);
        self.numbers.clear();
        self.file.write_all(&page)
    }

    fn end(mut self) -> std::io::Result<()> {
        if !self.numbers.is_empty() {
            self.flush()?;
        }
        self.file.seek(SeekFrom::Start(0))?;
        let numbers = [&known_by(&self.seal)[..], &[self.pages]].concat();
        self.file.write_all(&page::write(&numbers, Salt::NONE, 0))?;
        self.file.flush()
    }
}

fn goes_on(last: &Extent, next: &Extent) -> bool {
    let (Some(logical), Some(physical)) =
        (last.logical.checked_add(last.length), last.physical.checked_add(last.length))
    else {
        return false;
    };
    logical == next.logical && physical == next.physical
}

/// Returns the numbers that say what a map is of.
fn known_by(seal: &Seal) -> [u64; 6] {
    let (seconds, nanoseconds) = seal.changed;
    [MAGIC, VERSION, seal.inode, seconds.cast_unsigned(), nanoseconds.into(), seal.length]
}

// === impl Map ===

impl Map {
    /// Returns the map beside the image, if there is one and it is of what the image is now.
    pub(super) fn of(dir: &Dir, image: &File) -> Option<Self> {
        let seal = seal::of(image).ok()??;
        // To open anything else could wait for ever.
        look(dir, layout::EXTENTS).ok()?.filter(is_file)?;
        Self::read(dir.open_file(layout::EXTENTS, How::Read).ok()?, &seal)
    }

    /// Returns the map in the file, if it is of the image that is known by this.
    fn read(file: File, seal: &Seal) -> Option<Self> {
        let numbers = read_page(&file, Salt::NONE, 0)?;
        match numbers.split_last()? {
            (&pages, rest) if rest == known_by(seal) => {
                Some(Self { file, salt: Salt::of(rest), pages })
            }
            _ => None,
        }
    }

    /// Returns the extents, without those that end long before this byte.
    pub(super) fn from(self, start: u64) -> Result<Listed, Damaged> {
        let next = self.page_of(start)?;
        Ok(Listed { map: self, next, page: Vec::new().into_iter() })
    }

    /// Returns the last page that begins at or before this byte, or else the first.
    fn page_of(&self, byte: u64) -> Result<u64, Damaged> {
        let (mut low, mut high) = (1, self.pages.saturating_add(1));
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            let begins = self.page(middle)?.first().ok_or(Damaged)?.logical;
            if begins <= byte { low = middle } else { high = middle }
        }
        Ok(low)
    }

    fn page(&self, index: u64) -> Result<Vec<Extent>, Damaged> {
        let numbers = read_page(&self.file, self.salt, index).ok_or(Damaged)?;
        let extent = |&[logical, physical, length]: &[u64; PER_EXTENT]| Extent {
            logical,
            physical,
            length,
            flags: 0,
        };
        Ok(numbers.as_chunks().0.iter().map(extent).collect())
    }
}

fn read_page(file: &File, salt: Salt, index: u64) -> Option<Vec<u64>> {
    let mut page = [0; page::SIZE];
    file.read_exact_at(&mut page, index.checked_mul(page::SIZE as u64)?).ok()?;
    page::read(&page, salt, index)
}

// === impl Listed ===

impl Iterator for Listed {
    type Item = Result<Extent, Damaged>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(extent) = self.page.next() {
                return Some(Ok(extent));
            }
            if self.next > self.map.pages {
                return None;
            }
            match self.map.page(self.next) {
                Ok(page) => self.page = page.into_iter(),
                Err(damaged) => return Some(Err(damaged)),
            }
            self.next += 1;
        }
    }
}

#[cfg(test)]
mod tests;
