//! What can be made of something that nobody accounts for: what it was, if it can be proven, or rubbish.
//!
//! An id cannot be turned back into the name that it was computed from. So an image without a record is adopted
//! only where the lost name is given, which its id then proves, or where its record lies beside it.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use crate::backend::image::error::Result;
use crate::backend::image::layout::{self, Kept};
use crate::backend::image::record::{self, MOST_BYTES, Record};
use crate::backend::image::store::{allocated, is_file, look};
use crate::fs;
use crate::sys::beneath::{self, Dir};
use crate::volume::{Bytes, Content, Name, VolumeId};

/// How an image without a record gets one.
pub(super) const HOW: &str =
    "restore the record, or give the name that the volume had with --name, which its id proves";

/// What a repair does with an orphan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repair {
    /// The directory of the pool that it is in.
    pub(super) parent: &'static str,
    /// Its name there.
    pub(super) entry: OsString,
    pub(super) act: Act,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    /// Its record says which id it had.
    Rename { id: String },
    /// Its record was written, but has not its name yet.
    Finish { record: &'static str },
    /// Its name is known again.
    Record { id: VolumeId, name: Name, content: Content, size: Bytes },
    /// The file `inside` of it, or all of it, is moved to the trash.
    Trash { inside: Option<OsString>, data: Bytes },
}

/// What lies in a directory without a record.
pub(super) struct Inside {
    image: Option<PathBuf>,
    length: Bytes,
    data: Bytes,
}

/// Returns what to do with the directory of `id`, which has no record.
pub(super) fn without_record<R: Record>(
    dir: &Dir,
    id: &R::Id,
    inside: &Inside,
    names: &[Name],
) -> Result<Repair> {
    let (parent, entry) = (R::Id::PARENT, OsString::from(id.to_string()));
    let act = if inside.image.is_some() && has_record_beside::<R>(dir, id)? {
        Act::Finish { record: R::Id::RECORD }
    } else {
        match inside.proven(parent, &entry, names)? {
            Some(act) => act,
            None => Act::Trash { inside: None, data: inside.data },
        }
    };
    Ok(Repair { parent, entry, act })
}

/// Returns what to do with something whose name is no id.
pub(super) fn misnamed<R: Record>(parent: &Dir, name: &OsStr) -> Result<Repair> {
    let (data, id) = match parent.open_dir(name) {
        Ok(dir) => (Inside::of(&dir)?.data, recorded_id::<R>(&dir)?),
        Err(_) => (Bytes::ZERO, None),
    };
    let act = match id {
        Some(id) if !parent.exists(&id)? => Act::Rename { id },
        Some(_) | None => Act::Trash { inside: None, data },
    };
    Ok(Repair { parent: R::Id::PARENT, entry: name.to_owned(), act })
}

/// Says whether a whole record lies there under the name that it had while it was written.
fn has_record_beside<R: Record>(dir: &Dir, id: &R::Id) -> Result<bool> {
    let name = beneath::temporary_of(OsStr::new(R::Id::RECORD));
    let text = text(dir, &name)?;
    Ok(text.is_some_and(|text| record::parse::<R>(&text, id).is_ok()))
}

/// Returns the id that the record in the directory is of.
fn recorded_id<R: Record>(dir: &Dir) -> Result<Option<String>> {
    let Some(text) = text(dir, OsStr::new(R::Id::RECORD))? else { return Ok(None) };
    let record = serde_json::from_slice::<R>(&text).ok();
    Ok(record.map(|record| record.id().to_string()))
}

/// Returns the text of a small regular file.
fn text(dir: &Dir, name: &OsStr) -> Result<Option<Vec<u8>>> {
    let is_small = |size: i64| size.unsigned_abs() <= MOST_BYTES;
    match look(dir, name)?.filter(|stat| is_file(stat) && is_small(stat.st_size)) {
        Some(_) => Ok(Some(dir.read(name)?)),
        None => Ok(None),
    }
}

// === impl Inside ===

impl Inside {
    /// Looks into the directory.
    pub(super) fn of(dir: &Dir) -> Result<Self> {
        let Some(stat) = look(dir, layout::IMAGE)?.filter(is_file) else {
            return Ok(Self { image: None, length: Bytes::ZERO, data: Bytes::ZERO });
        };
        Ok(Self {
            image: Some(dir.path_of(layout::IMAGE)),
            length: Bytes(stat.st_size.unsigned_abs()),
            data: allocated(&stat),
        })
    }

    /// Returns the record that the image had, if one of the names proves it: a snapshot's has more than a name.
    fn proven(&self, parent: &str, entry: &OsStr, names: &[Name]) -> Result<Option<Act>> {
        let Some(image) = self.image.as_deref().filter(|_| parent == layout::VOLUMES) else {
            return Ok(None);
        };
        let proven = names.iter().map(|name| (VolumeId::of(name), name));
        let Some((id, name)) = proven.into_iter().find(|(id, _)| entry == id.as_str()) else {
            return Ok(None);
        };
        let content = content(image)?;
        Ok(Some(Act::Record { id, name: name.clone(), content, size: self.length }))
    }
}

fn content(image: &Path) -> Result<Content> {
    Ok(fs::held_by(image)?.map_or(Content::Block, Content::FileSystem))
}

impl fmt::Display for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.image {
            Some(_) => write!(f, "an image of {}, {} of it written", self.length, self.data),
            None => f.write_str("no image"),
        }
    }
}

// === impl Repair ===

impl Repair {
    /// Returns that the file is moved to the trash.
    pub(super) fn trash(
        parent: &'static str,
        entry: Option<&OsStr>,
        inside: OsString,
        data: Bytes,
    ) -> Self {
        let entry = entry.unwrap_or_default().to_owned();
        Self { parent, entry, act: Act::Trash { inside: Some(inside), data } }
    }

    /// Returns how much data would go with it.
    pub fn data(&self) -> Bytes {
        match self.act {
            Act::Trash { data, .. } => data,
            Act::Rename { .. } | Act::Finish { .. } | Act::Record { .. } => Bytes::ZERO,
        }
    }
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.act {
            Act::Rename { id } => write!(f, "adopt it as {id}, as its record says"),
            Act::Finish { .. } => f.write_str("adopt it with the record that lies beside it"),
            Act::Record { name, content, size, .. } => {
                write!(f, "adopt it as {name}, {content} of {size}")
            }
            Act::Trash { data: Bytes::ZERO, .. } => f.write_str("move it to the trash"),
            Act::Trash { data, .. } => write!(f, "move it to the trash, with {data} of data"),
        }
    }
}
