//! ControllerModifyVolume: the limits of a volume change while it is used.

use std::fmt;

use async_trait::async_trait;

use super::Settings;
use crate::csi::v1;
use crate::error::Result;
use crate::rpc::record_volume;
use crate::volume::{LimitsChange, VolumeId};

/// Whoever sees to it that limits hold where a volume is used.
#[async_trait]
pub trait Enforcer: fmt::Debug + Send + Sync {
    /// Lets the volume's new limits hold from now on. The caller has the volume's lock. What cannot be done now is
    /// done as soon as it can be: the limits are the volume's whether they are enforced or not.
    async fn limits_changed(&self, id: &VolumeId);

    /// Returns the volumes, sorted by id, whose limits do not hold although they are in use, each with the reason.
    /// Asks nobody and waits for nothing.
    fn unenforced(&self) -> Vec<(VolumeId, String)>;
}

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
