//! Does with the orphans what an admin has seen before in a dry run.
//!
//! Each act is one rename or one record, so that a kill in between leaves the orphan or what became of it. The
//! trash is emptied by the driver's next start and not before: until then a mistake can be undone by hand.

use std::path::PathBuf;

use super::orphan::{Act, Repair};
use super::{Checked, Fault, Ground};
use crate::backend::image::copy::Pending;
use crate::backend::image::error::{Error, Result};
use crate::backend::image::layout;
use crate::backend::image::record::VolumeRecord;
use crate::backend::image::settings::Settings;
use crate::backend::image::store::{Store, patiently};
use crate::fault;
use crate::sys::beneath::{self, Dir, DirLock};
use crate::sys::blocking;
use crate::volume::{Asked, BlockSize, Bytes, Content, Limits, Name, NewVolume, VolumeId};

/// What an admin asks for.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Names that volumes without a record may have had.
    pub names: Vec<Name>,
    /// Whether what goes to the trash may have data.
    pub with_data: bool,
    /// Whether anything is done at all.
    pub act: bool,
}

/// What became of a repair.
#[derive(Debug)]
pub struct Repaired {
    /// What was, or would be, done.
    pub done: Vec<Done>,
    /// The pool after that.
    pub after: Checked,
}

/// What became of one orphan.
#[derive(Debug)]
pub struct Done {
    /// Where it is, below the pool's directory.
    pub place: PathBuf,
    /// What a repair makes of it.
    pub repair: String,
    /// How it ended; nothing where nothing was done.
    pub outcome: Option<std::result::Result<(), String>>,
    /// Whether it stays as it is, because it has data that nobody said may go.
    pub is_kept: bool,
}

/// Repairs the pool, or says what a repair would do; nothing when no driver has made it yet.
///
/// A pool that a driver has is refused: it knows its volumes by heart.
pub async fn repair(settings: &Settings, wish: Wish) -> crate::error::Result<Option<Repaired>> {
    let Some(root) = super::find(settings).await? else { return Ok(None) };
    let settings = settings.clone();
    Ok(blocking(move || {
        let ground = Ground::enter(&root)?;
        if ground.owner.is_none() && wish.act {
            return Err(Error::unfit(format!(
                "{} is in use by its driver: stop the driver, and repair the pool then",
                settings.place_name()
            )));
        }
        repair_on(&ground, &settings, &wish).map(Some)
    })
    .await?)
}

fn repair_on(ground: &Ground, settings: &Settings, wish: &Wish) -> Result<Repaired> {
    let found = ground.look(settings, &wish.names)?;
    let done: Vec<Done> =
        found.faults.iter().filter_map(|fault| one(&ground.root, fault, wish)).collect();
    let after = if wish.act { ground.look(settings, &wish.names)? } else { found };
    Ok(Repaired { done, after })
}

fn one(root: &Dir, fault: &Fault, wish: &Wish) -> Option<Done> {
    let repair = fault.repair.as_ref()?;
    let is_kept = repair.data() > Bytes::ZERO && !wish.with_data;
    let act = || carry_out(root, repair).map_err(|error| sentence(&error));
    Some(Done {
        place: fault.place.clone(),
        repair: repair.to_string(),
        outcome: (wish.act && !is_kept).then(act),
        is_kept,
    })
}

/// Returns the error with its cause.
fn sentence(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

fn carry_out(root: &Dir, repair: &Repair) -> Result<()> {
    let parent = root.open_dir(repair.parent)?;
    let _lock = hold(&parent, repair)?;
    match &repair.act {
        Act::Rename { id } => {
            parent.rename_noreplace(&repair.entry, &parent, id)?;
            fault::point("repair: renamed");
            Ok(parent.sync()?)
        }
        Act::Finish { record } => {
            let dir = parent.open_dir(&repair.entry)?;
            let written = beneath::temporary_of(record.as_ref());
            dir.rename_noreplace(&written, &dir, record)?;
            fault::point("repair: record named");
            Ok(dir.sync()?)
        }
        Act::Record { id, name, content, size } => {
            let record = record_of(id, name, *content, *size);
            Store::open(root)?.write_record(&parent.open_dir(&repair.entry)?, &record)
        }
        Act::Trash { inside, .. } => {
            let trash = root.open_dir(layout::TRASH)?;
            let grave = layout::grave(repair.entry.display());
            let from = match inside {
                Some(_) => &parent.open_dir(&repair.entry)?,
                None => &parent,
            };
            let name = inside.as_ref().unwrap_or(&repair.entry);
            from.rename_noreplace(name, &trash, grave)?;
            fault::point("repair: buried");
            trash.sync()?;
            Ok(from.sync()?)
        }
    }
}

/// Locks what is repaired: a program of a killed driver may still work on it. What is no directory has no lock.
fn hold(parent: &Dir, repair: &Repair) -> Result<Option<DirLock>> {
    if parent.open_dir(&repair.entry).is_err() {
        return Ok(None);
    }
    let busy = || Error::Busy { id: repair.entry.to_string_lossy().into_owned() };
    patiently(|| parent.lock_of(&repair.entry))?.ok_or_else(busy).map(Some)
}

/// Returns the record of a volume of which its name and its image are left.
fn record_of(id: &VolumeId, name: &Name, content: Content, size: Bytes) -> VolumeRecord {
    let volume = NewVolume {
        id: id.clone(),
        name: name.clone(),
        size,
        asked: Asked { required: Some(size), limit: None },
        content,
        block_size: BlockSize::default(),
        // Nobody knows them any more: a class that is applied again sets them again.
        limits: Limits::NONE,
        source: None,
    };
    // It may have been a copy that was never finished: then it still has the UUID of its source.
    VolumeRecord::new(volume.made_now(), Pending::of_copy(content))
}
