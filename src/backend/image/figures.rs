//! The figures of a pool for whoever watches it: counted in memory, and asked of the file system in passing.
//!
//! No volume is locked. What an image takes is what the file system has given it, which one look tells; bytes
//! that it shares with copies are counted with each of them.

use std::sync::Arc;

use super::ImagePool;
use super::error::Result;
use super::layout;
use super::record::VolumeRecord;
use super::settings::Provisioning;
use super::store::{Store, allocated, is_file, look};
use crate::backend::{PoolFigures, VolumeFigures};
use crate::sys::{blocking, statvfs};
use crate::volume::{Bytes, VolumeId};

impl ImagePool {
    /// Returns the figures of the pool, and those of at most `most` volumes.
    pub(super) async fn figures_of_pool(&self, most: usize) -> Result<PoolFigures> {
        let records = if most == 0 { Vec::new() } else { self.volumes.page(None, most) };
        let (located, store) = (self.located.clone(), Arc::clone(&self.store));
        let (space, used, each) = blocking(move || -> Result<_> {
            let used = Bytes(statvfs::usage(&located.root)?.used_bytes);
            let each = records.into_iter().map(|record| figures(&store, record)).collect();
            Ok((located.space()?, used, each))
        })
        .await?;
        let is_thin = self.settings.provisioning != Provisioning::Thick;
        Ok(PoolFigures {
            kind: "image",
            provisioning: if is_thin { "thin" } else { "thick" },
            capacity: space.total,
            promisable: self.ledger.limit(space),
            promised: self.ledger.promised(),
            available: self.ledger.available(space),
            used,
            free: space.free,
            // A thin pool promises what is not free, and a thick one has set aside what it promised.
            shared: !is_thin && space.shared,
            low: is_thin && self.ledger.is_low(space),
            volumes: self.volumes.count(),
            snapshots: self.snapshots.count(),
            damaged: self.damaged().len(),
            paused: self.paused().len(),
            each,
        })
    }
}

fn figures(store: &Store, record: VolumeRecord) -> VolumeFigures {
    let volume = record.volume;
    // What was deleted a moment ago, or is damaged, is not this call's business.
    let used = allocated_of(store, &volume.id).ok().flatten();
    VolumeFigures {
        id: volume.id,
        name: volume.name,
        content: volume.content,
        size: volume.size,
        used,
        limits: volume.limits,
    }
}

/// Returns what the file system has given to the image, or nothing when there is no image.
fn allocated_of(store: &Store, id: &VolumeId) -> Result<Option<Bytes>> {
    let dir = store.parent::<VolumeId>().open_dir(id.as_str())?;
    let stat = look(&dir, layout::IMAGE)?.filter(is_file);
    Ok(stat.as_ref().map(allocated))
}
