//! Where the bytes of an image lie: as its map has it, or else as the kernel has it now.

use std::fs::File;

use super::map::{Listed, Map};
use crate::backend::image::layout;
use crate::sys::Result;
use crate::sys::beneath::Dir;
use crate::sys::extents::{Extent, Extents};

/// The extents of an image in the order of its bytes.
#[derive(Debug)]
pub(super) struct Listing<'a> {
    dir: &'a Dir,
    image: &'a File,
    source: Source<'a>,
    /// Behind the last extent that was told.
    at: u64,
}

#[derive(Debug)]
enum Source<'a> {
    Map(Listed),
    Kernel(Extents<'a>),
}

// === impl Listing ===

impl<'a> Listing<'a> {
    /// Lists the image in `dir` from this byte on.
    pub(super) fn new(dir: &'a Dir, image: &'a File, from: u64) -> Self {
        let listed = Map::of(dir, image).map(|map| map.from(from));
        let source = match listed {
            Some(Ok(listed)) => Source::Map(listed),
            Some(Err(_)) | None => Source::Kernel(ask(image, from)),
        };
        Self { dir, image, source, at: from }
    }
}

impl Iterator for Listing<'_> {
    type Item = Result<Extent>;

    fn next(&mut self) -> Option<Result<Extent>> {
        loop {
            match &mut self.source {
                Source::Kernel(extents) => return extents.next(),
                Source::Map(listed) => match listed.next()? {
                    Ok(extent) => {
                        self.at = extent.end();
                        return Some(Ok(extent));
                    }
                    Err(_damaged) => {
                        let map = self.dir.path_of(layout::EXTENTS);
                        tracing::warn!(map = %map.display(), "is damaged: the kernel is asked");
                        self.source = Source::Kernel(ask(self.image, self.at));
                    }
                },
            }
        }
    }
}

/// The kernel writes the image to the disk first: only then has all of it a place.
fn ask(image: &File, from: u64) -> Extents<'_> {
    Extents::synced(image).from(from)
}
