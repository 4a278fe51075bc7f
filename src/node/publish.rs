//! NodePublish and NodeUnpublish: what is staged becomes visible to a pod.

use std::path::PathBuf;

use super::volume::{At, Here, foreign, serves};
use super::{Settings, path, stage};
use crate::backend::LocalPool;
use crate::controller::known;
use crate::csi::v1;
use crate::error::{Error, Noun, Result};
use crate::host::{Options, Place};
use crate::rpc::record_volume;
use crate::volume::{Capability, Content, Volume, VolumeId};

/// A request, parsed.
struct Wish {
    staging: PathBuf,
    target: PathBuf,
    capability: Capability,
    options: Options,
}

pub(super) async fn publish(
    settings: &Settings,
    request: v1::NodePublishVolumeRequest,
) -> Result<v1::NodePublishVolumeResponse> {
    let id = VolumeId::required(&request.volume_id);
    let wish = Wish::parse(&request)?;
    let id = id?;
    record_volume(&id);
    // Before the paths are looked at: where one hangs, each repeat of the call would hold another thread.
    let _guard = settings.locks.try_lock(&id)?;
    let wish = wish.resolved(settings).await;
    let (pool, volume) = settings.pools.volume(&id).await?;
    serves(&volume, &wish.capability)?;
    let here = Here::look(&*settings.host, pool, &id, &[&wish.staging, &wish.target]).await?;
    if !wish.is_done(&volume, &here)? {
        wish.make(settings, pool, &volume, &here).await?;
    }
    settings.limiter.published(&volume).await;
    Ok(v1::NodePublishVolumeResponse {})
}

pub(super) async fn unpublish(
    settings: &Settings,
    request: v1::NodeUnpublishVolumeRequest,
) -> Result<v1::NodeUnpublishVolumeResponse> {
    let id = known(VolumeId::required(&request.volume_id))?;
    let target = path::required("target_path", &request.target_path)?;
    let Some(id) = id else { return Ok(v1::NodeUnpublishVolumeResponse {}) };
    record_volume(&id);
    let _guard = settings.locks.try_lock(&id)?;
    let target = settings.host.resolve(target).await;
    let known = stage::Known::ask(settings, &id).await;
    let here = known.look(settings, &target).await?;
    stage::unmount(settings, &known, &here, &id, &target).await?;
    settings.limiter.unpublished(&id, &here, &target).await;
    settings.host.remove_target(&target).await?;
    Ok(v1::NodeUnpublishVolumeResponse {})
}

// === impl Wish ===

impl Wish {
    fn parse(request: &v1::NodePublishVolumeRequest) -> Result<Self> {
        let target = path::required("target_path", &request.target_path)?;
        let capability = Capability::required(request.volume_capability.as_ref())?;
        if request.staging_target_path.is_empty() {
            let reason = "staging_target_path: is required, since this driver stages its volumes";
            return Err(Error::unfit(reason));
        }
        let staging = path::required("staging_target_path", &request.staging_target_path)?;
        let flags = capability.mount.as_ref().map(|mount| mount.flags.clone()).unwrap_or_default();
        let flagged = flags.iter().any(|flag| flag == "ro");
        let read_only = request.readonly || capability.mode.is_read_only() || flagged;
        Ok(Self { staging, target, capability, options: Options { read_only, flags } })
    }

    async fn resolved(self, settings: &Settings) -> Self {
        let staging = settings.host.resolve(self.staging).await;
        let target = settings.host.resolve(self.target).await;
        Self { staging, target, ..self }
    }

    /// Returns whether the volume is published at the target as wished for, or why it must not be.
    fn is_done(&self, volume: &Volume, here: &Here) -> Result<bool> {
        let id = &volume.id;
        match here.at(&self.target) {
            At::Ours(place) => {
                return match place.difference(&self.options) {
                    Some(how) => Err(published_otherwise(id, place, &how)),
                    None => place.takes_writes().map(|()| true),
                };
            }
            At::Foreign(place) => return Err(foreign(id, place)),
            At::Nothing => {}
        }
        let is_other = |place: &&Place| place.at != self.staging;
        let others: Vec<_> = here.places().iter().filter(is_other).collect();
        if let Some(other) = others.first().filter(|_| !self.capability.mode.allows_many_paths()) {
            return Err(in_use(id, &format!("published at {}", other.at.display())));
        }
        // Whether a raw device can be written is a property of the device: all its users share it.
        let read_only = self.options.read_only;
        match others.iter().find(|place| place.is_node && place.read_only != read_only) {
            Some(other) => {
                let how = if read_only { "writable" } else { "read-only" };
                Err(published_otherwise(id, other, how))
            }
            None => Ok(false),
        }
    }

    /// Publishes; what fails leaves neither a target nor a stage of its own.
    async fn make(
        &self,
        settings: &Settings,
        pool: &LocalPool,
        volume: &Volume,
        here: &Here,
    ) -> Result<()> {
        pool.backend.admits()?;
        let (staging, wanted) = (&self.staging, &self.capability);
        let staged = stage::ensure(settings, pool, volume, here, staging, wanted).await?;
        let made = self.bind(settings, pool, volume).await;
        if made.is_err()
            && staged.is_made()
            && let Err(left) = stage::undo(settings, &volume.id, &self.staging).await
        {
            tracing::warn!(why = left.sentence(), "a failed publish left its stage");
        }
        made
    }

    async fn bind(&self, settings: &Settings, pool: &LocalPool, volume: &Volume) -> Result<()> {
        if let Content::FileSystem(_) = volume.content {
            return settings.host.bind_directory(&self.staging, &self.target, &self.options).await;
        }
        let vanished = || Error::unfit(format!("the device of volume {} vanished", volume.id));
        let device = pool.backend.attached(&volume.id).await?.ok_or_else(vanished)?;
        settings.host.bind_device(&device, &self.target, self.options.read_only).await
    }
}

fn published_otherwise(id: &VolumeId, place: &Place, how: &str) -> Error {
    let how = format!("published {how} at {}", place.at.display());
    Error::Differs { what: Noun::Volume, id: id.to_string(), how }
}

fn in_use(id: &VolumeId, by: &str) -> Error {
    Error::InUse { what: Noun::Volume, id: id.to_string(), by: by.to_owned() }
}
