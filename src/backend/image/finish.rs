//! Does what earlier calls, or earlier drivers, have left to do for a volume.

use std::sync::Arc;

use super::ImagePool;
use super::copy;
use super::error::Result;
use super::layout;
use super::record::VolumeRecord;
use super::store::{Held, Store};
use super::uses;
use crate::fault;
use crate::sys::blocking;
use crate::volume::{Content, VolumeId};

impl ImagePool {
    /// Makes a copy a file system of its own, before it is attached for the first time. Returns its record, which is
    /// another one then.
    pub(super) async fn finish(&self, record: VolumeRecord, held: &Held) -> Result<VolumeRecord> {
        let (Some(pending), Content::FileSystem(fs)) = (record.pending, record.volume.content)
        else {
            return Ok(record);
        };
        let image = held.dir.path_of(layout::IMAGE);
        copy::finish(&image, fs, held.lock.duplicate()?, pending).await?;
        fault::point("finish: on the disk");
        let done = |record: &mut VolumeRecord| {
            record.pending = None;
            record.grow = false;
        };
        self.change(&record.volume.id, done).await
    }
}

/// Thaws the volumes that a killed driver left frozen, before anybody can wait for them. One that cannot be thawed
/// keeps its mark.
pub(super) async fn thaw(store: &Arc<Store>, marked: Vec<VolumeId>) {
    let store = Arc::clone(store);
    blocking(move || {
        for id in marked {
            if let Err(error) = thaw_one(&store, &id) {
                let why = crate::error::Error::from(error).sentence();
                tracing::error!(volume = %id, why, "a copy was cut off and its volume cannot be thawed");
            }
        }
    })
    .await;
}

fn thaw_one(store: &Store, id: &VolumeId) -> Result<()> {
    let dir = store.parent::<VolumeId>().open_dir(id.to_string())?;
    let image = super::store::open_image(&dir)?;
    let used = uses::of_image(&image)?;
    copy::thaw_marked(&dir, used.as_ref().map(|used| used.mounts.as_slice()))?;
    Ok(())
}
