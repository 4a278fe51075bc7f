//! ControllerGetVolumeHealth and ControllerListVolumeHealth. They take no lock, and what hangs is a finding.

use super::Settings;
use crate::csi::v1;
use crate::error::Result;
use crate::rpc::record_volume;
use crate::volume::{Condition, Paging, Unwell, VolumeId, health};

pub(super) async fn get(
    settings: &Settings,
    request: v1::ControllerGetVolumeHealthRequest,
) -> Result<v1::ControllerGetVolumeHealthResponse> {
    let id = VolumeId::required(&request.volume_id)?;
    record_volume(&id);
    let mut conditions = settings.pools.health(&id).await?;
    let unlimited = unenforced(settings).into_iter().find(|(of, _)| *of == id);
    conditions.extend(unlimited.map(|(_, why)| Condition::limits_not_enforced(why)));
    let volume_health = Some(health::to_csi(&id, conditions));
    Ok(v1::ControllerGetVolumeHealthResponse { volume_health })
}

/// Lists those with which something is the matter.
pub(super) async fn list(
    settings: &Settings,
    request: v1::ControllerListVolumeHealthRequest,
) -> Result<v1::ControllerListVolumeHealthResponse> {
    let paging: Paging<VolumeId> = Paging::parse(request.max_entries, &request.starting_token)?;
    let mut unwell = settings.pools.unwell(paging.after.as_ref(), paging.wanted()).await?;
    add_unenforced(&mut unwell, settings, &paging);
    let page = paging.cut(unwell, |one| one.id.to_string());
    let entry = |Unwell { id, conditions }| health::to_csi(&id, conditions);
    let entries = page.entries.into_iter().map(entry).collect();
    Ok(v1::ControllerListVolumeHealthResponse { entries, next_token: page.next_token })
}

/// Adds the volumes of this page whose limits do not hold.
fn add_unenforced(unwell: &mut Vec<Unwell>, settings: &Settings, paging: &Paging<VolumeId>) {
    let is_behind = |id: &VolumeId| paging.after.as_ref().is_none_or(|after| id > after);
    for (id, why) in unenforced(settings).into_iter().filter(|(id, _)| is_behind(id)) {
        let condition = Condition::limits_not_enforced(why);
        match unwell.binary_search_by(|one| one.id.cmp(&id)) {
            Ok(at) => unwell
                .get_mut(at)
                .into_iter()
                .for_each(|one| one.conditions.push(condition.clone())),
            Err(at) => unwell.insert(at, Unwell { id, conditions: vec![condition] }),
        }
    }
    unwell.truncate(paging.wanted());
}

fn unenforced(settings: &Settings) -> Vec<(VolumeId, String)> {
    settings.enforcer.as_ref().map(|enforcer| enforcer.unenforced()).unwrap_or_default()
}
