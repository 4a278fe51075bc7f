//! Does what earlier calls, or earlier drivers, have left to do for a volume.

use std::sync::Arc;

use super::ImagePool;
use super::copy;
use super::error::Result;
use super::layout;
use super::record::VolumeRecord;
use super::scan::Found;
use super::store::{Held, Store};
use super::uses;
use crate::fault;
use crate::sys::blocking;
use crate::volume::{Content, FsType, VolumeId};

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
pub(super) async fn thaw(store: &Arc<Store>, volumes: &Found<VolumeRecord>) {
    let marked = volumes.frozen.iter().map(|id| (id.clone(), file_system(volumes, id)));
    let (store, marked) = (Arc::clone(store), marked.collect::<Vec<_>>());
    blocking(move || {
        for (id, fs) in marked {
            if let Err(error) = thaw_one(&store, &id, fs) {
                let why = crate::error::Error::from(error).sentence();
                tracing::error!(volume = %id, why, "a copy was cut off and its volume cannot be thawed");
            }
        }
    })
    .await;
}

/// Returns what the volume holds, as far as its record says it.
fn file_system(volumes: &Found<VolumeRecord>, id: &VolumeId) -> Option<FsType> {
    match volumes.entries.get(id)?.record.as_ref().ok()?.volume.content {
        Content::FileSystem(fs) => Some(fs),
        Content::Block => None,
    }
}

fn thaw_one(store: &Store, id: &VolumeId, fs: Option<FsType>) -> Result<()> {
    let dir = store.parent::<VolumeId>().open_dir(id.to_string())?;
    let image = super::store::open_image(&dir)?;
    let used = uses::of_image(&image)?;
    match (copy::thaw_marked(&dir, used.as_ref().map(|used| used.mounts.as_slice())), used, fs) {
        (Err(why), Some(used), Some(fs)) => {
            let hidden = copy::thaw_hidden(&dir, &used.device.path, fs);
            hidden.map_err(|second| {
                tracing::warn!(%second, "nor can it be mounted once more to be thawed");
                why.into()
            })
        }
        (thawed, _, _) => Ok(thawed.map(drop)?),
    }
}
