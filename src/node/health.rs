//! NodeGetVolumeHealth and NodeGetStorageHealth: what is the matter, seen from this node. They take no lock, and
//! what hangs is a finding.
//!
//! The pool tells of the volume's files, device and file system. What only the node can tell is added here, each by
//! a function from the volume to its conditions.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Settings;
use super::asking::{About, Asking};
use super::volume::{At, Here};
use crate::backend::LocalPool;
use crate::csi::v1;
use crate::error::Result;
use crate::host::Place;
use crate::rpc::record_volume;
use crate::volume::{Condition, Reason, VolumeId, health};

/// How long the paths may take behind what the pool says, so that all of it is within two seconds.
const LIMIT: Duration = Duration::from_millis(300);

pub(super) async fn volume(
    settings: &Settings,
    asking: &Asking,
    request: v1::NodeGetVolumeHealthRequest,
) -> Result<v1::NodeGetVolumeHealthResponse> {
    let id = VolumeId::required(&request.volume_id)?;
    record_volume(&id);
    let (pool, mut conditions) = settings.pools.health(&id).await?;
    let silent = |one: &Condition| one.reason == Reason::PoolUnreachable;
    if !conditions.iter().any(silent) {
        let paths = [request.staging_target_path, request.volume_publish_path];
        conditions.extend(of_paths(settings, asking, pool, &id, paths).await);
    }
    conditions.extend(settings.limiter.unenforced(&id).map(Condition::limits_not_enforced));
    let volume_health = Some(health::to_csi(&id, conditions));
    Ok(v1::NodeGetVolumeHealthResponse { volume_health })
}

pub(super) async fn storage(settings: &Settings) -> Result<v1::NodeGetStorageHealthResponse> {
    let conditions = settings.pools.storage_health().await?;
    Ok(v1::NodeGetStorageHealthResponse { backend_health: health::storage_to_csi(conditions) })
}

/// Looks whether what is mounted at the volume's paths is still the volume. Nothing there is no finding: staging
/// or publishing may just have failed.
async fn of_paths(
    settings: &Settings,
    asking: &Asking,
    pool: &LocalPool,
    id: &VolumeId,
    paths: [String; 2],
) -> Option<Condition> {
    let question = {
        let (host, pool, id) = (settings.host.clone(), pool.clone(), id.clone());
        async move {
            let mut resolved = Vec::new();
            for path in paths.into_iter().filter(|path| !path.is_empty()) {
                resolved.push(host.resolve(PathBuf::from(path)).await);
            }
            let paths: Vec<&Path> = resolved.iter().map(PathBuf::as_path).collect();
            let here = Here::look(&*host, &pool, &id, &paths).await.ok()?;
            for path in paths {
                if let At::Foreign(place) = here.at(path)
                    && host.image_behind(place).await.is_none()
                {
                    return lost(place);
                }
            }
            None
        }
    };
    let about = About::Paths(id.clone());
    match asking.ask(about, Instant::now() + LIMIT, question).await {
        Ok(lost) => lost,
        Err(silence) => Some(Condition::inaccessible(
            Reason::FileSystemNotAnswering,
            format!("what is at the volume's paths cannot be found out: {silence}"),
        )),
    }
}

/// A loop device without an image was this volume's; anything else is somebody else's business.
fn lost(place: &Place) -> Option<Condition> {
    place.device?;
    let message = format!(
        "{} at {} has lost its image: unpublish and unstage the volume, then stage it again",
        place.what,
        place.at.display()
    );
    Some(Condition::inaccessible(Reason::LoopDeviceLost, message))
}
