//! ControllerExpandVolume: the image grows; the node then lets device and file system follow.

use super::Settings;
use crate::csi::v1;
use crate::error::{Error, Result};
use crate::rpc::record_volume;
use crate::volume::{Asked, Bytes, Capability, VolumeId};

pub(super) async fn expand_volume(
    settings: &Settings,
    request: v1::ControllerExpandVolumeRequest,
) -> Result<v1::ControllerExpandVolumeResponse> {
    let id = VolumeId::required(&request.volume_id);
    if request.capacity_range.is_none() {
        return Err(Error::invalid("capacity_range", "is required"));
    }
    let asked = Asked::of_csi(request.capacity_range.as_ref())?;
    let id = id?;
    record_volume(&id);
    let _guard = settings.locks.try_lock(&id)?;
    let (pool, volume) = settings.pools.volume(&id).await?;
    Capability::fits_if_named(request.volume_capability.as_ref(), volume.content)?;
    let size: Bytes = asked.grown(volume.size)?;
    let volume = if size > volume.size { pool.backend.expand(&id, size).await? } else { volume };
    // Said even when nothing grew: the node may still owe its part of an earlier expansion.
    Ok(v1::ControllerExpandVolumeResponse {
        capacity_bytes: volume.size.to_csi(),
        node_expansion_required: true,
    })
}
