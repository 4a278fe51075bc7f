//! CreateVolumeGroupSnapshot.

use crate::backend::Pool;
use crate::controller::Settings;
use crate::csi::v1;
use crate::error::{Error, Result};
use crate::rpc::record_volume;
use crate::volume::{Group, NewGroup, no_parameters};

pub(super) async fn create(
    settings: &Settings,
    request: v1::CreateVolumeGroupSnapshotRequest,
) -> Result<v1::CreateVolumeGroupSnapshotResponse> {
    no_parameters(&request.parameters)?;
    let wanted = NewGroup::parse(&request.name, &request.source_volume_ids)?;
    record_volume(&wanted.id);
    let _group_guard = settings.locks.try_lock(&wanted.id)?;
    // Found before the sources are looked at: the repeat of an answered call is answered even when they are gone
    // or busy.
    let (pool, group) = match settings.pools.find_group_or_cut(&wanted.id).await? {
        Some((pool, found)) => (pool, found.as_wanted(&wanted)?),
        None => cut(settings, &wanted).await?,
    };
    let group_snapshot = Some(settings.group_to_csi(&pool, &group).await?);
    Ok(v1::CreateVolumeGroupSnapshotResponse { group_snapshot })
}

async fn cut(settings: &Settings, wanted: &NewGroup) -> Result<(Pool, Group)> {
    // In the order of their ids, as everybody does who takes several.
    let locks = wanted.sources().iter().map(|source| settings.locks.try_lock(source));
    let _guards = locks.collect::<Result<Vec<_>>>()?;
    let pool = common_pool(settings, wanted).await?;
    let group = pool.groups()?.cut(wanted).await?.into_inner();
    Ok((pool, group))
}

/// Returns the pool that all of the volumes are in: only there they have an instant in common.
async fn common_pool(settings: &Settings, wanted: &NewGroup) -> Result<Pool> {
    let mut common = None;
    for source in wanted.sources() {
        let (pool, _) = settings.pools.volume(source).await?;
        let (first, home) = common.get_or_insert_with(|| (source, pool.clone()));
        if !home.is(&pool) {
            return Err(Error::unfit(format!(
                "volumes of different pools cannot be cut together: {first} is in {home}, {source} in {pool}"
            )));
        }
    }
    let none = || Error::invalid("source_volume_ids", "needs at least one");
    common.map(|(_, pool)| pool).ok_or_else(none)
}
