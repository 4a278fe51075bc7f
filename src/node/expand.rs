//! NodeExpandVolume: device and file system take the size that the volume has.

use std::path::{Path, PathBuf};

use super::Settings;
use super::volume::visible_at;
use crate::backend::LocalPool;
use crate::csi::v1;
use crate::error::{Error, Result};
use crate::rpc::record_volume;
use crate::volume::{Asked, Bytes, Capability, Content, Volume, VolumeId};

pub(super) async fn expand(
    settings: &Settings,
    request: v1::NodeExpandVolumeRequest,
) -> Result<v1::NodeExpandVolumeResponse> {
    let id = VolumeId::required(&request.volume_id);
    if request.volume_path.is_empty() {
        return Err(Error::invalid("volume_path", "is required"));
    }
    let asked = Asked::of_csi(request.capacity_range.as_ref())?;
    let id = id?;
    record_volume(&id);
    let _guard = settings.locks.try_lock(&id)?;
    let (pool, volume) = settings.pools.volume(&id).await?;
    Capability::fits_if_named(request.volume_capability.as_ref(), volume.content)?;
    within(asked, &volume)?;
    let at = located(settings, &request, pool, &volume).await?;
    // A frozen file system does not grow: the call would wait where nothing can end it.
    let _running = pool.backend.keep_running(&id).await?;
    let size = pool.backend.grow_device(&id).await?;
    if let (Content::FileSystem(fs), Some(at)) = (volume.content, at) {
        settings.host.grow(&at, fs).await?;
    }
    Ok(v1::NodeExpandVolumeResponse { capacity_bytes: size.to_csi() })
}

/// Returns the path to grow the file system through: a read-only one cannot serve, so a writable one is taken
/// where there is any. A raw volume that is staged has no path to be found at; its device is enough.
async fn located(
    settings: &Settings,
    request: &v1::NodeExpandVolumeRequest,
    pool: &LocalPool,
    volume: &Volume,
) -> Result<Option<PathBuf>> {
    let raw = volume.content == Content::Block;
    let staged = raw && pool.backend.attached(&volume.id).await?.is_some();
    if staged && request.volume_path == request.staging_target_path {
        return Ok(None);
    }
    let path = Path::new(&request.volume_path);
    let here = visible_at(&*settings.host, pool, &volume.id, path).await?;
    let writable = here.places().iter().find(|place| !place.read_only && !place.is_node);
    let read_only = || {
        let id = &volume.id;
        Error::unfit(format!(
            "volume {id} is mounted read-only everywhere; a file system grows where it is writable"
        ))
    };
    match writable {
        Some(place) => Ok(Some(place.at.clone())),
        None if raw => Ok(None),
        None => Err(read_only()),
    }
}

/// The controller has made the volume as large as it is; the node cannot add to that.
fn within(asked: Asked, volume: &Volume) -> Result<()> {
    let size: Bytes = volume.size;
    if asked.fits(size) {
        return Ok(());
    }
    let reason = format!("volume {} has {size}, which is not {asked}: expand it first", volume.id);
    Err(Error::OutOfRange { reason })
}
