//! Cuts snapshots: built and published as volumes are, and in need of nothing of their source afterwards.

use super::ImagePool;
use super::error::Result;
use super::record::SnapshotRecord;
use crate::backend::Ensured;
use crate::fault;
use crate::sys::blocking;
use crate::volume::{NewSnapshot, Snapshot};

impl ImagePool {
    /// Returns the snapshot, cut now or found as asked.
    pub(super) async fn cut_snapshot(&self, wanted: &NewSnapshot) -> Result<Ensured<Snapshot>> {
        if let Some(found) = self.snapshots.find(&wanted.id).await? {
            return Ok(Ensured::Found(found.snapshot.as_wanted(wanted)?));
        }
        let source = self.volumes.get(&wanted.source).await?;
        let size = source.volume.size;
        let room = self.reserve(size, size).await?;
        let built = self.begin(&wanted.id, size).await?;
        let copied = self.copy_volume(&built, source.clone()).await;
        fault::point("cut: image copied");
        let building = built.clone();
        // The image may be longer than its record says, after an expand that was not finished.
        let tells_changes = self.tells_changes;
        let complete = move || copied.and_then(|()| building.complete(size, tells_changes));
        let completed = blocking(complete).await;
        let made = completed.map(|()| SnapshotRecord::new(wanted.cut_now(&source.volume)));
        let record = self.conclude(built, made, room, size).await?;
        let snapshot = record.snapshot.clone();
        self.snapshots.put(record, size);
        Ok(Ensured::Made(snapshot))
    }
}
