//! Makes volumes: reserve, build where nothing is real, publish.

use std::sync::Arc;

use super::ImagePool;
use super::building::Building;
use super::cleaner::{Place, Rubbish};
use super::copy::Pending;
use super::error::{Error, Result};
use super::layout::Kept;
use super::ledger::Reservation;
use super::record::{Record, VolumeRecord};
use super::settings::Provisioning;
use crate::backend::Ensured;
use crate::error::Noun;
use crate::fault;
use crate::fs::{self, Format};
use crate::sys::blocking;
use crate::volume::{Bytes, Content, NewVolume, Volume, VolumeId};

/// With less than this free, a program that makes a file system may have failed for want of space.
const WANT: Bytes = Bytes::mib(80);

impl ImagePool {
    /// Returns the volume, created now or found as asked.
    pub(super) async fn create_volume(&self, wanted: &NewVolume) -> Result<Ensured<Volume>> {
        if let Some(found) = self.volumes.find(&wanted.id).await? {
            return same(found.volume, wanted);
        }
        let room = self.reserve(wanted.size, wanted.size).await?;
        let built = self.begin(&wanted.id, wanted.size).await?;
        let made = self.build(&built, wanted).await;
        let record: VolumeRecord = self.conclude(built, made, room, wanted.size).await?;
        let volume = record.volume.clone();
        self.volumes.put(record, volume.size);
        Ok(Ensured::Made(volume))
    }

    /// Begins to build something of this size.
    pub(super) async fn begin<Id: Kept>(&self, id: &Id, size: Bytes) -> Result<Arc<Building<Id>>> {
        let (store, id) = (Arc::clone(&self.store), id.clone());
        match blocking(move || Building::begin(&store, &id)).await {
            Ok(building) => Ok(Arc::new(building)),
            Err(error) => Err(self.explained(error, size).await),
        }
    }

    /// Makes real what was built in this room, or leaves nothing of it behind.
    pub(super) async fn conclude<R: Record>(
        &self,
        built: Arc<Building<R::Id>>,
        made: Result<R>,
        room: Reservation,
        size: Bytes,
    ) -> Result<R> {
        let concluded = blocking(move || {
            let published = made.and_then(|record| built.publish(&record).map(|()| record));
            let left = (published.is_err() && !built.discard()).then(|| built.name());
            (published, left)
        });
        match concluded.await {
            (Ok(record), _) => {
                room.commit();
                Ok(record)
            }
            (Err(error), left) => {
                // Its blocks are taken until it is gone.
                if let Some(name) = left.map(Into::into) {
                    self.cleaner.remove(Rubbish { place: Place::New, name, lock: None, room });
                }
                Err(self.explained(error, size).await)
            }
        }
    }

    /// Gives the image the volume's content, all but durable.
    async fn build(
        &self,
        built: &Arc<Building<VolumeId>>,
        wanted: &NewVolume,
    ) -> Result<VolumeRecord> {
        let (size, thick) = (wanted.size, self.settings.provisioning == Provisioning::Thick);
        let pending = match (&wanted.source, wanted.content) {
            (Some(source), content) => {
                let copied = self.copy_source(built, source).await?;
                if copied > size {
                    let reason = format!("a copy of {source} needs {copied}, more than {size}");
                    return Err(Error::Meant(crate::error::Error::OutOfRange { reason }));
                }
                let building = Arc::clone(built);
                blocking(move || building.resize(size)).await?;
                Pending::of_copy(content)
            }
            (None, content) => {
                let building = Arc::clone(built);
                blocking(move || building.make_image(size)).await?;
                fault::point("create: image has its size");
                if let Content::FileSystem(fs) = content {
                    let lock = built.held.lock.duplicate()?;
                    fs::format(&built.image_path(), lock, Format { fs, uuid: None, thin: !thick })
                        .await?;
                    fault::point("create: formatted");
                }
                None
            }
        };
        // Not before: making a file system frees what it does not need, and a copy replaces it all.
        if thick {
            let building = Arc::clone(built);
            blocking(move || building.allocate(size)).await?;
        }
        Ok(VolumeRecord::new(wanted.made_now(), pending))
    }

    /// Returns the error with the pool's state in it, if it was space that was missing.
    pub(super) async fn explained(&self, error: Error, asked: Bytes) -> Error {
        let Ok(space) = self.space().await else { return error };
        let by_program =
            matches!(error, Error::FileSystem(fs::Error::Tool(_))) && space.free < WANT;
        if by_program || error.is_no_space() {
            let place = self.settings.place_name();
            return Error::Full { place, asked, free: space.free };
        }
        error
    }
}

fn same(found: Volume, wanted: &NewVolume) -> Result<Ensured<Volume>> {
    if found.is(wanted) {
        return Ok(Ensured::Found(found));
    }
    let how = format!("as {} with {}, made from {}", found.content, found.size, origin(&found));
    Err(Error::Differs { what: Noun::Volume, id: found.id.to_string(), how })
}

fn origin(volume: &Volume) -> String {
    volume.source.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string)
}
