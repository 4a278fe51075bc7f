//! ControllerGetVolume and GetSnapshot: one thing by its id. Reads take no lock.

use super::{Settings, snapshot_to_csi, volume_to_csi};
use crate::csi::v1;
use crate::csi::v1::controller_get_volume_response::VolumeStatus;
use crate::error::{Error, Result};
use crate::rpc::record_volume;
use crate::volume::{SnapshotId, VolumeId};

pub(super) async fn get_volume(
    settings: &Settings,
    request: v1::ControllerGetVolumeRequest,
) -> Result<v1::ControllerGetVolumeResponse> {
    let id = VolumeId::required(&request.volume_id)?;
    record_volume(&id);
    let (pool, volume) = settings.pools.volume(&id).await?;
    let status = VolumeStatus { published_node_ids: settings.published_nodes(&volume) };
    Ok(v1::ControllerGetVolumeResponse {
        volume: Some(volume_to_csi(&pool, &volume)),
        status: Some(status),
    })
}

pub(super) async fn get_snapshot(
    settings: &Settings,
    request: v1::GetSnapshotRequest,
) -> Result<v1::GetSnapshotResponse> {
    let id = SnapshotId::required(&request.snapshot_id)?;
    record_volume(&id);
    let found = settings.pools.find_snapshot(&id).await?;
    let (pool, snapshot) = found.ok_or_else(|| Error::no_snapshot(&id))?;
    Ok(v1::GetSnapshotResponse { snapshot: Some(snapshot_to_csi(&pool, &snapshot)) })
}
