//! A volume on this node: which device it is now, and whether what is mounted somewhere is this volume.

use std::path::Path;

use crate::backend::{Device, LocalPool};
use crate::error::{Error, Result};
use crate::host::{Host, Place, Sight};
use crate::volume::{Capability, Volume, VolumeId};

/// What is at a path, seen from one volume.
#[derive(Debug)]
pub(super) enum At<'a> {
    /// Nothing is mounted there.
    Nothing,
    /// This volume.
    Ours(&'a Place),
    /// Something else.
    Foreign(&'a Place),
}

/// A volume on this node: the pool says which device its image is, the mount table where that is.
#[derive(Debug)]
pub(super) struct Here {
    pub(super) device: Option<Device>,
    sight: Sight,
}

// === impl Here ===

impl Here {
    /// Looks for the volume, and at what is mounted at the paths.
    pub(super) async fn look(
        host: &dyn Host,
        pool: &LocalPool,
        id: &VolumeId,
        paths: &[&Path],
    ) -> Result<Self> {
        let device = pool.backend.attached(id).await?;
        Self::of_device(host, device, paths).await
    }

    /// Looks at what is mounted at the path. Only if anything is, the volume is looked for, too: nothing else could
    /// be told from it.
    pub(super) async fn look_at(
        host: &dyn Host,
        pool: &LocalPool,
        id: &VolumeId,
        path: &Path,
    ) -> Result<Self> {
        let here = Self::of_device(host, None, &[path]).await?;
        match here.at(path) {
            At::Nothing => Ok(here),
            At::Ours(_) | At::Foreign(_) => Self::look(host, pool, id, &[path]).await,
        }
    }

    /// Looks for the device that the volume is, if it is one, and at what is mounted at the paths.
    pub(super) async fn of_device(
        host: &dyn Host,
        device: Option<Device>,
        paths: &[&Path],
    ) -> Result<Self> {
        let sight = host.sight(device.as_ref(), paths).await?;
        Ok(Self { device, sight })
    }

    /// Returns every place of the volume on this node.
    pub(super) fn places(&self) -> &[Place] {
        &self.sight.of_device
    }

    /// Returns what is at one of the paths that were looked at.
    pub(super) fn at(&self, path: &Path) -> At<'_> {
        match (self.sight.at(path), &self.device) {
            (None, _) => At::Nothing,
            (Some(place), Some(device)) if place.device == Some(device.number) => At::Ours(place),
            (Some(place), _) => At::Foreign(place),
        }
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

/// Returns the volume's places, of which exactly this path is one; a path that is not its own does not exist for it.
pub(super) async fn visible_at(
    host: &dyn Host,
    pool: &LocalPool,
    id: &VolumeId,
    path: &Path,
) -> Result<Here> {
    let real = host.resolve(path.to_owned()).await;
    let here = Here::look(host, pool, id, &[&real]).await?;
    match here.at(&real) {
        At::Ours(_) => Ok(here),
        // A raw volume that is staged has no mount of its own to be found at.
        At::Nothing | At::Foreign(_) => {
            Err(Error::no_volume(format!("{id} at path {}", path.display())))
        }
    }
}
