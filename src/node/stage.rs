//! NodeStage and NodeUnstage: the volume becomes a device, its file system is mounted once for the node.

use std::ffi::OsStr;
use std::path::Path;

use super::volume::{At, Here, foreign, serves};
use super::{Settings, path};
use crate::backend::{Attached, Device, Ensured, Hold, LocalPool};
use crate::controller::known;
use crate::csi::v1;
use crate::error::{Error, Noun, Result};
use crate::host::{Options, Place};
use crate::rpc::record_volume;
use crate::volume::{Capability, Content, FsType, Volume, VolumeId};

pub(super) async fn stage(
    settings: &Settings,
    request: v1::NodeStageVolumeRequest,
) -> Result<v1::NodeStageVolumeResponse> {
    let id = VolumeId::required(&request.volume_id);
    let staging = path::required("staging_target_path", &request.staging_target_path)?;
    let capability = Capability::required(request.volume_capability.as_ref())?;
    let id = id?;
    record_volume(&id);
    let _guard = settings.locks.try_lock(&id)?;
    let staging = settings.host.resolve(staging).await;
    let (pool, volume) = settings.pools.volume(&id).await?;
    serves(&volume, &capability)?;
    let here = match volume.content {
        Content::FileSystem(_) => Here::look_at(&*settings.host, pool, &id, &staging).await?,
        // Nothing is mounted for it: whether it is staged, only its device says.
        Content::Block => Here::look(&*settings.host, pool, &id, &[&staging]).await?,
    };
    ensure(settings, pool, &volume, &here, &staging, &capability).await?;
    Ok(v1::NodeStageVolumeResponse {})
}

pub(super) async fn unstage(
    settings: &Settings,
    request: v1::NodeUnstageVolumeRequest,
) -> Result<v1::NodeUnstageVolumeResponse> {
    let id = known(VolumeId::required(&request.volume_id))?;
    let staging = path::required("staging_target_path", &request.staging_target_path)?;
    let Some(id) = id else { return Ok(v1::NodeUnstageVolumeResponse {}) };
    record_volume(&id);
    let guard = settings.locks.try_lock(&id)?;
    let staging = settings.host.resolve(staging).await;
    undo(settings, &id, &staging).await?;
    // Whoever hears it can go on at once.
    drop(guard);
    settings.freed.tell(&id);
    Ok(v1::NodeUnstageVolumeResponse {})
}

/// Makes sure that the volume is staged as wanted, and says whether that took anything.
///
/// Publish calls it, too: after a reboot kubelet may publish without staging.
pub(super) async fn ensure(
    settings: &Settings,
    pool: &LocalPool,
    volume: &Volume,
    here: &Here,
    staging: &Path,
    wanted: &Capability,
) -> Result<Ensured<()>> {
    let Content::FileSystem(fs) = volume.content else {
        // A raw volume is staged when it is a device; nothing is mounted for it.
        drop(pool.backend.attach(&volume.id).await?);
        return Ok(if here.device.is_some() { Ensured::Found(()) } else { Ensured::Made(()) });
    };
    let options = options(wanted);
    match here.at(staging) {
        At::Ours(place) => same(&volume.id, place, &options).map(Ensured::Found),
        At::Foreign(place) => Err(foreign(&volume.id, place)),
        At::Nothing => {
            let attached = pool.backend.attach(&volume.id).await?;
            mount(settings, pool, volume, (attached, fs), staging, &options)
                .await
                .map(Ensured::Made)
        }
    }
}

/// Makes sure that the volume is not staged at the path: nothing of it mounted, no device.
///
/// Works without a readable record, without a pool and with one whose disk is dead: kubelet must get rid of its
/// mounts whatever is lost.
pub(super) async fn undo(settings: &Settings, id: &VolumeId, staging: &Path) -> Result<()> {
    let known = Known::ask(settings, id).await;
    let here = known.look(settings, staging).await?;
    if let Some(other) = here.places().iter().find(|place| place.at != staging) {
        let by = format!("it is published at {}; unpublish it first", other.at.display());
        return Err(Error::InUse { what: Noun::Volume, id: id.to_string(), by });
    }
    unmount(settings, &known, &here, id, staging).await?;
    let Some(pool) = known.keeper else { return Ok(()) };
    let detached = pool.backend.detach(id).await;
    if let (Err(why), Err(_)) = (&detached, &known.device) {
        // The mount is gone, and with it what kept the device of a file system.
        tracing::warn!(volume = %id, why = why.sentence(), "unstaged, though its pool does not answer");
        return Ok(());
    }
    detached.map(drop)
}

/// What can be learned of a volume that is to be undone; a pool that does not answer hides the rest.
pub(super) struct Known<'a> {
    keeper: Option<&'a LocalPool>,
    device: Result<Option<Device>>,
}

impl<'a> Known<'a> {
    pub(super) async fn ask(settings: &'a Settings, id: &VolumeId) -> Self {
        let keeper = settings.pools.keeper(id).await;
        let device = match keeper {
            Some(pool) => pool.backend.attached(id).await,
            None => Ok(None),
        };
        Self { keeper, device }
    }

    /// Sees to it that the volume is not paused while it is unmounted: a file system that is frozen when its last
    /// mount goes lives on, and keeps its device. A pool that is dead has nothing to say in that.
    async fn keep_running(&self, id: &VolumeId) -> Result<Option<Box<dyn Hold>>> {
        let Some(pool) = self.keeper else { return Ok(None) };
        match pool.backend.keep_running(id).await {
            Ok(running) => Ok(Some(running)),
            Err(busy @ Error::Pending { .. }) => Err(busy),
            Err(why) => {
                tracing::warn!(volume = %id, why = why.sentence(), "whether it is paused cannot be found out");
                Ok(None)
            }
        }
    }

    /// Looks where its device is, as far as that is known, and what is at the path.
    pub(super) async fn look(&self, settings: &Settings, at: &Path) -> Result<Here> {
        let device = self.device.as_ref().ok().cloned().flatten();
        Here::of_device(&*settings.host, device, &[at]).await
    }
}

/// Unmounts the volume at the path; what is not this volume stays and is an error.
pub(super) async fn unmount(
    settings: &Settings,
    known: &Known<'_>,
    here: &Here,
    id: &VolumeId,
    at: &Path,
) -> Result<Ensured<()>> {
    let place = match here.at(at) {
        At::Nothing => return Ok(Ensured::Found(())),
        At::Ours(_) => {
            let _running = known.keep_running(id).await?;
            return settings.host.unmount(at).await;
        }
        At::Foreign(place) => place,
    };
    // What is left when the record, the pool or the device is lost: the kernel still names the image by the id,
    // and the node of a device that has no image any more is nobody's.
    let is_rest = match settings.host.image_behind(place).await {
        Some(image) => image.iter().any(|part| names(part, id)),
        None => place.is_node,
    };
    if is_rest {
        return settings.host.unmount(at).await;
    }
    match &known.device {
        Ok(_) => Err(foreign(id, place)),
        Err(why) => {
            Err(Error::internal(format!("tell whose mount {} is", at.display()), why.sentence()))
        }
    }
}

/// Whether a directory of this name is the volume's: its id, alone or on its way out as `<id>.<uuid>`.
fn names(directory: &OsStr, id: &VolumeId) -> bool {
    let rest = directory.to_str().and_then(|name| name.strip_prefix(id.as_str()));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

async fn mount(
    settings: &Settings,
    pool: &LocalPool,
    volume: &Volume,
    (attached, fs): (Attached, FsType),
    staging: &Path,
    options: &Options,
) -> Result<()> {
    let mounted = settings.host.mount(&attached.device, fs, staging, options).await;
    // From here on the mount holds the device; without a mount nothing does, and it goes.
    drop(attached);
    if let Err(why) = mounted {
        if let Err(left) = pool.backend.detach(&volume.id).await {
            tracing::warn!(volume = %volume.id, why = left.sentence(), "a failed stage left a device");
        }
        return Err(why);
    }
    Ok(())
}

/// A reader-only mode is kept at publish; the stage is writable, so that a log can be replayed.
fn options(wanted: &Capability) -> Options {
    let flags = wanted.mount.as_ref().map(|mount| mount.flags.clone()).unwrap_or_default();
    Options { read_only: flags.iter().any(|flag| flag == "ro"), flags }
}

fn same(id: &VolumeId, place: &Place, wanted: &Options) -> Result<()> {
    let Some(how) = place.difference(wanted) else { return place.takes_writes() };
    let how = format!("staged {how} at {}", place.at.display());
    Err(Error::Differs { what: Noun::Volume, id: id.to_string(), how })
}
