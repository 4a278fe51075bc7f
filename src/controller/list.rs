//! ListVolumes and ListSnapshots: pages that are sorted by id.

use super::delete::known;
use super::{Settings, snapshot_to_csi, volume_to_csi};
use crate::backend::Pool;
use crate::csi::v1;
use crate::csi::v1::list_volumes_response::VolumeStatus;
use crate::csi::v1::{list_snapshots_response, list_volumes_response};
use crate::error::Result;
use crate::volume::{Paging, Snapshot, SnapshotId, Volume, VolumeId};

pub(super) async fn list_volumes(
    settings: &Settings,
    request: v1::ListVolumesRequest,
) -> Result<v1::ListVolumesResponse> {
    let paging: Paging<VolumeId> = Paging::parse(request.max_entries, &request.starting_token)?;
    let volumes = settings.pools.volumes(paging.after.as_ref(), paging.wanted()).await?;
    let page = paging.cut(volumes, |(_, volume)| volume.id.to_string());
    let entry = |(pool, volume): (Pool, Volume)| list_volumes_response::Entry {
        volume: Some(volume_to_csi(&pool, &volume)),
        status: Some(VolumeStatus { published_node_ids: settings.published_nodes(&volume) }),
    };
    let entries = page.entries.into_iter().map(entry).collect();
    Ok(v1::ListVolumesResponse { entries, next_token: page.next_token })
}

pub(super) async fn list_snapshots(
    settings: &Settings,
    request: v1::ListSnapshotsRequest,
) -> Result<v1::ListSnapshotsResponse> {
    let paging: Paging<SnapshotId> = Paging::parse(request.max_entries, &request.starting_token)?;
    let snapshots = matching(settings, &request, &paging).await?;
    let page = paging.cut(snapshots, |(_, snapshot)| snapshot.id.to_string());
    let entry = |(pool, snapshot): (Pool, Snapshot)| list_snapshots_response::Entry {
        snapshot: Some(snapshot_to_csi(&pool, &snapshot)),
    };
    let entries = page.entries.into_iter().map(entry).collect();
    Ok(v1::ListSnapshotsResponse { entries, next_token: page.next_token })
}

/// Returns the snapshots that pass the filters; what a filter does not know matches nothing.
async fn matching(
    settings: &Settings,
    request: &v1::ListSnapshotsRequest,
    paging: &Paging<SnapshotId>,
) -> Result<Vec<(Pool, Snapshot)>> {
    let of_source = |(_, snapshot): &(_, Snapshot)| {
        request.source_volume_id.is_empty() || snapshot.source.as_str() == request.source_volume_id
    };
    let behind = |(_, snapshot): &(_, Snapshot)| {
        paging.after.as_ref().is_none_or(|after| snapshot.id > *after)
    };
    if !request.snapshot_id.is_empty() {
        let Some(id) = known(SnapshotId::required(&request.snapshot_id))? else {
            return Ok(Vec::new());
        };
        let found = settings.pools.find_snapshot(&id).await?;
        return Ok(found.into_iter().filter(|one| of_source(one) && behind(one)).collect());
    }
    // A filter may leave any number out, so the page is cut behind it.
    let most = if request.source_volume_id.is_empty() { paging.wanted() } else { usize::MAX };
    let all = settings.pools.snapshots(paging.after.as_ref(), most).await?;
    Ok(all.into_iter().filter(of_source).take(paging.wanted()).collect())
}
