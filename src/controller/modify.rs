//! ControllerModifyVolume: the limits of a volume change while it is used.

use super::Settings;
use crate::csi::v1;
use crate::error::Result;
use crate::rpc::record_volume;
use crate::volume::{LimitsChange, VolumeId};

pub(super) async fn modify_volume(
    settings: &Settings,
    request: v1::ControllerModifyVolumeRequest,
) -> Result<v1::ControllerModifyVolumeResponse> {
    let id = VolumeId::required(&request.volume_id)?;
    record_volume(&id);
    let _guard = settings.locks.try_lock(&id)?;
    // Looked for before the parameters are: an unknown volume is not found whatever is asked of it.
    let (pool, volume) = settings.pools.volume(&id).await?;
    let change = LimitsChange::parse(&request.mutable_parameters)?;
    let limits = volume.limits.changed(&change);
    if limits != volume.limits {
        pool.backend.set_limits(&id, limits).await?;
        tracing::info!(volume = %id, before = %volume.limits, now = %limits, "limits changed");
    }
    // Also when nothing changed: the answer to an earlier call may have been lost before it got here.
    if let Some(enforcer) = &settings.enforcer {
        enforcer.limits_changed(&id).await;
    }
    Ok(v1::ControllerModifyVolumeResponse {})
}
