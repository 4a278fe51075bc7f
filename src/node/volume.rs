//! A volume on this node: which device it is now, and whether what is mounted somewhere is this volume.

use std::path::Path;

use crate::backend::{Device, Pool};
use crate::error::{Error, Result};
use crate::host::{Host, Place};
use crate::volume::{Capability, Volume, VolumeId};

/// What is at a path, seen from one volume.
#[derive(Debug)]
pub(super) enum At {
    /// Nothing is mounted there.
    Nothing,
    /// This volume.
    Ours(Place),
    /// Something else.
    Foreign(Place),
}

/// Looks what is mounted at the path: the mount table says which device, the pool which image is behind it.
pub(super) async fn look(host: &dyn Host, device: Option<&Device>, path: &Path) -> Result<At> {
    Ok(match (host.place_at(path).await?, device) {
        (None, _) => At::Nothing,
        (Some(place), Some(device)) if place.device == Some(device.number) => At::Ours(place),
        (Some(place), _) => At::Foreign(place),
    })
}

/// Returns every place of the volume on this node.
pub(super) async fn places(host: &dyn Host, pool: &Pool, id: &VolumeId) -> Result<Vec<Place>> {
    match pool.backend.attached(id).await? {
        Some(device) => host.places_of(&device).await,
        None => Ok(Vec::new()),
    }
}

/// Says what is mounted where this volume should be, or should be alone.
pub(super) fn foreign(id: &VolumeId, place: &Place) -> Error {
    let (at, what) = (place.at.display(), &place.what);
    Error::unfit(format!("{what}, not volume {id}, is mounted at {at}; unmount it first"))
}

/// Checks that the volume can be used as wanted.
pub(super) fn serves(volume: &Volume, wanted: &Capability) -> Result<()> {
    match wanted.mismatch(volume.content) {
        Some(how) => Err(Error::unfit(format!("volume {} cannot be used so: {how}", volume.id))),
        None => Ok(()),
    }
}

/// Returns the place of the volume at exactly this path; a path that is not its own does not exist for it.
pub(super) async fn here(
    host: &dyn Host,
    pool: &Pool,
    id: &VolumeId,
    path: &Path,
) -> Result<Place> {
    let device = pool.backend.attached(id).await?;
    let real = host.resolve(path.to_owned()).await;
    match look(host, device.as_ref(), &real).await? {
        At::Ours(place) => Ok(place),
        // A raw volume that is staged has no mount of its own to be found at.
        At::Nothing | At::Foreign(_) => {
            Err(Error::no_volume(format!("{id} at path {}", path.display())))
        }
    }
}
