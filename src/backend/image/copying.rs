//! Where the bytes of a copy come from: a snapshot, or a volume that may be in use.
//!
//! How a copy is taken is told in [`copy`]; here it is found out what its source is doing, and held off what
//! must not happen to it meanwhile.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::ImagePool;
use super::building::Building;
use super::copy::{self, Wish, Writers};
use super::error::{Error, Result};
use super::layout::{self, Kept};
use super::pause::is_paused;
use super::record::{Record, VolumeRecord};
use super::store::{Held, Store, open_image, whole};
use super::surplus;
use super::uses::{self, Use};
use crate::error::Noun;
use crate::sys::{blocking, freeze};
use crate::volume::{Bytes, Content, Source};

/// How long a copy waits for another one of the same source, or for a device that is just going.
const PATIENCE: Duration = Duration::from_secs(3);
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// A source, held.
#[derive(Debug)]
pub(super) struct Origin {
    held: Held,
    image: PathBuf,
    writers: Writers,
}

/// How this pool takes copies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    freeze_limit: Duration,
    reflink: bool,
}

impl ImagePool {
    /// Returns how copies are taken here.
    pub(super) fn manner(&self) -> Manner {
        Manner { freeze_limit: self.settings.freeze_limit, reflink: self.reflink }
    }

    /// Copies the source to the image that is being built, and returns the source's size.
    pub(super) async fn copy_source<Id: Kept>(
        &self,
        built: &Arc<Building<Id>>,
        source: &Source,
    ) -> Result<Bytes> {
        match source {
            Source::Volume(id) => {
                let record = self.volumes.get(id).await?;
                let size = record.size();
                self.copy_volume(built, record).await?;
                Ok(size)
            }
            Source::Snapshot(id) => {
                let record = self.snapshots.get(id).await?;
                let size = record.size();
                let hold = move |store: &Store| Ok(Origin::at_rest(hold_real(store, &record)?));
                self.copy(built, hold).await?;
                Ok(size)
            }
        }
    }

    /// Copies the volume, as it is at one instant, to the image that is being built.
    pub(super) async fn copy_volume<Id: Kept>(
        &self,
        built: &Arc<Building<Id>>,
        record: VolumeRecord,
    ) -> Result<()> {
        self.copy(built, move |store| volume_origin(store, &record)).await
    }

    async fn copy<Id: Kept>(
        &self,
        built: &Arc<Building<Id>>,
        hold: impl FnOnce(&Store) -> Result<Origin> + Send + 'static,
    ) -> Result<()> {
        let (store, built) = (Arc::clone(&self.store), Arc::clone(built));
        let manner = self.manner();
        blocking(move || {
            let origin = hold(&store)?;
            copy::cut(&origin.wish(&built.image_path(), manner))?;
            Ok(())
        })
        .await
    }
}

// === impl Origin ===

impl Origin {
    fn at_rest(held: Held) -> Self {
        let image = held.dir.path_of(layout::IMAGE);
        Self { held, image, writers: Writers::Nobody }
    }

    fn in_use(held: Held, writers: Writers) -> Self {
        Self { writers, ..Self::at_rest(held) }
    }

    /// Returns the wish for a copy of it.
    pub(super) fn wish<'a>(&'a self, target: &'a Path, manner: Manner) -> Wish<'a> {
        Wish {
            source: &self.image,
            target,
            writers: &self.writers,
            volume: &self.held.dir,
            freeze_limit: manner.freeze_limit,
            reflink: manner.reflink,
        }
    }
}

/// Holds a volume, and finds out how it is used.
pub(super) fn volume_origin(store: &Store, record: &VolumeRecord) -> Result<Origin> {
    let volume = &record.volume;
    let held = hold_real(store, record)?;
    // A copy has the size of the record, and must have all of the data.
    surplus::cut_off(&held, record)?;
    let Some(used) = settled_use(&held)? else {
        return Ok(Origin::at_rest(held));
    };
    let limited = (!volume.limits.is_none()).then_some(used.device.number);
    if volume.content == Content::Block {
        return Ok(Origin::in_use(held, Writers::OfDevice { path: used.device.path, limited }));
    }
    if is_paused(&held.dir)? {
        // It is frozen already, and is not thawed as long as it is held.
        return Ok(Origin::at_rest(held));
    }
    if !used.is_seen() {
        // Without a freeze the pieces of the copy would be of different moments.
        return Err(Error::InUse {
            what: Noun::Volume,
            id: volume.id.to_string(),
            by: used.to_string(),
        });
    }
    let Some(first) = used.writable().next() else {
        return Ok(Origin::at_rest(held));
    };
    // One that is covered by another mount cannot be frozen; if all are, that is the error.
    let mount = used.writable().find(|mount| freeze::is_in_sight(mount)).unwrap_or(first).clone();
    Ok(Origin::in_use(held, Writers::OfFiles { mount, limited }))
}

/// Returns how the image is used. A device that goes with its last user may have lost it a moment ago.
fn settled_use(held: &Held) -> Result<Option<Use>> {
    let image = open_image(&held.dir)?;
    let begin = Instant::now();
    loop {
        match uses::of_image(&image)? {
            Some(used) if used.is_going() && begin.elapsed() < PATIENCE => sleep(BETWEEN_LOOKS),
            used => return Ok(used),
        }
    }
}

/// Holds something that is real, and whose image has all that its record says.
pub(super) fn hold_real<R: Record>(store: &Store, record: &R) -> Result<Held> {
    let held = match hold_patiently(store, record.id()) {
        // It was deleted a moment ago.
        Err(Error::Kernel(failure)) if failure.is_not_found() => {
            return Err(Error::NoSuch { what: R::NOUN, id: record.id().to_string() });
        }
        held => held?,
    };
    whole(&held, record)?;
    Ok(held)
}

/// Holds what others hold only shortly, such as a source of which several copies may be taken at once: each holds it for milliseconds.
pub(super) fn hold_patiently<Id: Kept>(store: &Store, id: &Id) -> Result<Held> {
    let begin = Instant::now();
    loop {
        match store.hold(id) {
            Err(Error::Busy { .. }) if begin.elapsed() < PATIENCE => sleep(BETWEEN_LOOKS),
            answer => return answer,
        }
    }
}
