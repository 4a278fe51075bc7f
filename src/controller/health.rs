//! ControllerGetVolumeHealth and ControllerListVolumeHealth. They take no lock, and what hangs is a finding.

use super::Settings;
use crate::csi::v1;
use crate::error::Result;
use crate::rpc::record_volume;
use crate::volume::{Paging, Unwell, VolumeId, health};

pub(super) async fn get(
    settings: &Settings,
    request: v1::ControllerGetVolumeHealthRequest,
) -> Result<v1::ControllerGetVolumeHealthResponse> {
    let id = VolumeId::required(&request.volume_id)?;
    record_volume(&id);
    let (_pool, conditions) = settings.pools.health(&id).await?;
    let volume_health = Some(health::to_csi(&id, conditions));
    Ok(v1::ControllerGetVolumeHealthResponse { volume_health })
}

/// Lists those with which something is the matter.
pub(super) async fn list(
    settings: &Settings,
    request: v1::ControllerListVolumeHealthRequest,
) -> Result<v1::ControllerListVolumeHealthResponse> {
    let paging: Paging<VolumeId> = Paging::parse(request.max_entries, &request.starting_token)?;
    let unwell = settings.pools.unwell(paging.after.as_ref(), paging.wanted()).await?;
    let page = paging.cut(unwell, |one| one.id.to_string());
    let entry = |Unwell { id, conditions }| health::to_csi(&id, conditions);
    let entries = page.entries.into_iter().map(entry).collect();
    Ok(v1::ControllerListVolumeHealthResponse { entries, next_token: page.next_token })
}
