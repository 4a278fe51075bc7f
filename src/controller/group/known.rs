//! DeleteVolumeGroupSnapshot and GetVolumeGroupSnapshot: a group that the caller knows with all its members.
//!
//! The group is looked up before the list of members: of a group that does not exist nobody can say what its
//! members were.

use crate::controller::{Settings, known};
use crate::csi::v1;
use crate::error::{Error, Result};
use crate::rpc::record_volume;
use crate::volume::{Group, GroupId};

pub(super) async fn delete(
    settings: &Settings,
    request: v1::DeleteVolumeGroupSnapshotRequest,
) -> Result<v1::DeleteVolumeGroupSnapshotResponse> {
    let Some(id) = known(GroupId::required(&request.group_snapshot_id))? else {
        return Ok(v1::DeleteVolumeGroupSnapshotResponse {});
    };
    record_volume(&id);
    let _guard = settings.locks.try_lock(&id)?;
    if let Some((pool, group)) = settings.pools.group_keeper(&id).await? {
        has_members(&group, request.snapshot_ids)?;
        pool.groups()?.delete(&id).await?;
    }
    Ok(v1::DeleteVolumeGroupSnapshotResponse {})
}

pub(super) async fn get(
    settings: &Settings,
    request: v1::GetVolumeGroupSnapshotRequest,
) -> Result<v1::GetVolumeGroupSnapshotResponse> {
    let id = GroupId::required(&request.group_snapshot_id)?;
    record_volume(&id);
    let found = settings.pools.find_group(&id).await?;
    let (pool, group) = found.ok_or_else(|| Error::no_group(&id))?;
    has_members(&group, request.snapshot_ids)?;
    let group_snapshot = Some(settings.group_to_csi(&pool, &group).await?);
    Ok(v1::GetVolumeGroupSnapshotResponse { group_snapshot })
}

/// Checks that these are the members of the group, in any order.
fn has_members(group: &Group, mut named: Vec<String>) -> Result<()> {
    let mut members: Vec<_> = group.members().map(String::from).collect();
    members.sort_unstable();
    named.sort_unstable();
    if named == members {
        return Ok(());
    }
    let reason =
        format!("are not the members of group snapshot {}: {}", group.id, members.join(", "));
    Err(Error::invalid("snapshot_ids", reason))
}
