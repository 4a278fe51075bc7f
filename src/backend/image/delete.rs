//! Lets volumes and snapshots cease: one rename, and the blocks are freed in the background.

use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::ImagePool;
use super::cleaner::{Place, Rubbish};
use super::error::{Error, Result};
use super::record::Record;
use super::shelf::Shelf;
use super::store::{Held, read_image};
use super::uses;
use crate::backend::Ensured;
use crate::fault;
use crate::sys::blocking;
use crate::volume::{SnapshotId, VolumeId};

/// How long a device that goes with its last user may take to go: the user was a mount a moment ago.
const LINGERING: Duration = Duration::from_secs(2);
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

impl ImagePool {
    /// Succeeds when there is no such volume any more.
    pub(super) async fn delete_volume(&self, id: &VolumeId) -> Result<Ensured<()>> {
        let _running = self.pausing.keep_running(id).await?;
        self.bury(&self.volumes, id).await
    }

    /// Succeeds when there is no such snapshot any more.
    pub(super) async fn delete_snapshot(&self, id: &SnapshotId) -> Result<Ensured<()>> {
        self.bury(&self.snapshots, id).await
    }

    async fn bury<R: Record>(&self, from: &Arc<Shelf<R>>, id: &R::Id) -> Result<Ensured<()>> {
        // What cannot be read is not deleted either: nobody knows what it is.
        if from.find(id).await?.is_none() {
            return Ok(Ensured::Found(()));
        }
        let (store, name) = (Arc::clone(&self.store), id.clone());
        let (grave, lock) = blocking(move || match store.hold(&name) {
            Ok(held) => {
                unused::<R>(&held, &name)?;
                fault::point("delete: unused");
                Ok((store.bury(&name, &held)?, Some(held.lock)))
            }
            // An earlier delete has buried it, and failed behind that.
            Err(Error::Kernel(failure)) if failure.is_not_found() => {
                Ok((store.buried(&name)?, None))
            }
            Err(error) => Err(error),
        })
        .await?;
        let room = self.ledger.take_over(from.counted(id));
        from.remove(id);
        if let Some(name) = grave {
            self.cleaner.remove(Rubbish { place: Place::Trash, name, lock, room });
        }
        Ok(Ensured::Made(()))
    }
}

/// Checks that the image is no device, and waits for one that is just going.
pub(super) fn unused<R: Record>(held: &Held, id: &R::Id) -> Result<()> {
    let image = match read_image(&held.dir) {
        Ok(image) => image,
        // Without an image there is nothing that could be used.
        Err(failure) if failure.is_not_found() => return Ok(()),
        Err(failure) => return Err(failure.into()),
    };
    let begin = Instant::now();
    while let Some(used) = uses::of_image(&image)? {
        if !used.is_going() || begin.elapsed() > LINGERING {
            return Err(Error::InUse { what: R::NOUN, id: id.to_string(), by: used.to_string() });
        }
        sleep(BETWEEN_LOOKS);
    }
    Ok(())
}
