//! Changes volumes that are real: their size, and what else their records say.
//!
//! The image grows first and the record afterwards. An image that is longer than its record says is an expand
//! that was not finished: whoever asks again finishes it, and whoever attaches the volume takes it back. Only a
//! shorter one has lost data.

use std::fs::File;
use std::sync::Arc;

use super::ImagePool;
use super::building::allocate;
use super::error::{Error, Result};
use super::record::VolumeRecord;
use super::settings::Provisioning;
use super::store::{Held, open_image, whole};
use crate::fault;
use crate::sys::blocking;
use crate::sys::failure::Doing;
use crate::volume::{Bytes, Content, FsType, Volume, VolumeId};

impl ImagePool {
    /// Returns the volume with at least this size.
    pub(super) async fn expand_volume(&self, id: &VolumeId, size: Bytes) -> Result<Volume> {
        let record = self.volumes.get(id).await?;
        if record.volume.size >= size {
            return Ok(record.volume);
        }
        let counted = self.volumes.counted(id);
        let room = self.reserve(size.less(counted), size).await?;
        let thick = self.settings.provisioning == Provisioning::Thick;
        let (store, volumes) = (Arc::clone(&self.store), Arc::clone(&self.volumes));
        let written = blocking(move || {
            let held = store.hold(&record.volume.id)?;
            // To make a shorter image longer would hide what it has lost.
            whole(&held, &record)?;
            let image = open_image(&held.dir)?;
            lengthen(&image, &held, size, thick)?;
            fault::point("expand: image grown");
            let grown = grown(record, size);
            // Not shortened again after an error: the new record may be there all the same.
            volumes.write(&held.dir, &grown)?;
            fault::point("expand: record on the disk");
            Ok(grown)
        });
        let record = match written.await {
            Ok(record) => record,
            Err(error) => return Err(self.explained(error, size).await),
        };
        room.commit();
        let volume = record.volume.clone();
        self.volumes.put(record, size.max(counted));
        Ok(volume)
    }

    /// Changes the volume's record, durably.
    pub(super) async fn change(
        &self,
        id: &VolumeId,
        change: impl FnOnce(&mut VolumeRecord) + Send,
    ) -> Result<VolumeRecord> {
        let mut record = self.volumes.get(id).await?;
        let before = record.clone();
        change(&mut record);
        if record == before {
            return Ok(record);
        }
        let (store, volumes) = (Arc::clone(&self.store), Arc::clone(&self.volumes));
        let id = id.clone();
        let record = blocking(move || {
            let dir = store.parent::<VolumeId>().open_dir(id.to_string())?;
            volumes.write(&dir, &record)?;
            fault::point("change: record on the disk");
            Ok::<_, Error>(record)
        })
        .await?;
        let counted = self.volumes.counted(&record.volume.id);
        self.volumes.put(record.clone(), counted);
        Ok(record)
    }
}

/// Returns the record of the volume with the new size.
fn grown(mut record: VolumeRecord, size: Bytes) -> VolumeRecord {
    record.volume.size = size;
    if let Some(pending) = &mut record.pending {
        pending.grow = true;
    }
    // XFS and Btrfs grow when they are mounted, which the node sees to.
    record.grow |= record.volume.content == Content::FileSystem(FsType::Ext4);
    record
}

/// Makes the image at least so long, durably.
fn lengthen(image: &File, held: &Held, size: Bytes, thick: bool) -> Result<()> {
    let doing = || format!("grow the image in {}", held.dir.path().display());
    let before = Bytes(image.metadata().doing(doing)?.len());
    let grown = if before < size { image.set_len(size.0) } else { Ok(()) };
    let durable = grown.and_then(|()| {
        if thick {
            allocate(image, size);
        }
        image.sync_all()
    });
    if durable.is_err() {
        shorten(image, before);
    }
    Ok(durable.doing(doing)?)
}

/// Takes back what was added for an expand that failed. If that fails, too, the image is longer than its record
/// says, which hurts nobody.
fn shorten(image: &File, before: Bytes) {
    if let Err(error) = image.set_len(before.0) {
        tracing::debug!(%error, "an image stays longer than its record says");
    }
}
