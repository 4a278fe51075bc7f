//! ControllerPublish and ControllerUnpublish: fencing, kept with the volume.
//!
//! A local volume needs no attaching; the record says which node may use it, so that a single-node volume is
//! never used by two, and a node never gets more volumes than it can have.

use super::Settings;
use super::delete::known;
use crate::backend::Pool;
use crate::csi::v1;
use crate::error::{Error, Noun, Result};
use crate::rpc::record_volume;
use crate::volume::{Attachment, Capability, Volume, VolumeId};

pub(super) async fn publish(
    settings: &Settings,
    request: v1::ControllerPublishVolumeRequest,
) -> Result<v1::ControllerPublishVolumeResponse> {
    is_on(settings)?;
    if request.node_id.is_empty() {
        return Err(Error::invalid("node_id", "is required"));
    }
    let id = VolumeId::required(&request.volume_id);
    let capability = Capability::required(request.volume_capability.as_ref())?;
    let id = id?;
    record_volume(&id);
    let _guard = settings.locks.try_lock(&id)?;
    let (pool, volume) = settings.pools.volume(&id).await?;
    if *request.node_id != *pool.node {
        return Err(elsewhere(settings, &id, &pool, request.node_id).await?);
    }
    if let Some(how) = capability.mismatch(volume.content) {
        return Err(Error::unfit(format!("volume {id} cannot be attached so: {how}")));
    }
    let wanted =
        Attachment { node: request.node_id, read_only: request.readonly, mode: capability.mode };
    if is_attached(&volume, &wanted)? {
        return Ok(v1::ControllerPublishVolumeResponse::default());
    }
    take_place(settings, &id, &wanted.node).await?;
    let mut attachments = volume.attachments;
    attachments.push(wanted);
    let kept = pool.backend.set_attachments(&id, &attachments).await;
    settings.attaching.lock().await.remove(&id);
    kept.map(|()| v1::ControllerPublishVolumeResponse::default())
}

pub(super) async fn unpublish(
    settings: &Settings,
    request: v1::ControllerUnpublishVolumeRequest,
) -> Result<v1::ControllerUnpublishVolumeResponse> {
    is_on(settings)?;
    let Some(id) = known(VolumeId::required(&request.volume_id))? else {
        return Ok(v1::ControllerUnpublishVolumeResponse {});
    };
    record_volume(&id);
    let _guard = settings.locks.try_lock(&id)?;
    if let Some((pool, volume)) = settings.pools.find(&id).await? {
        // An empty node id means every node.
        let goes =
            |attached: &Attachment| request.node_id.is_empty() || attached.node == request.node_id;
        let (gone, left): (Vec<_>, Vec<_>) = volume.attachments.into_iter().partition(goes);
        if !gone.is_empty() {
            pool.backend.set_attachments(&id, &left).await?;
        }
    }
    Ok(v1::ControllerUnpublishVolumeResponse {})
}

fn is_on(settings: &Settings) -> Result<()> {
    if settings.attach {
        return Ok(());
    }
    Err(Error::Unsupported { what: "attaching (config `attach: off`)".to_owned() })
}

/// Returns the error of a volume that is wanted on a node where it is not.
async fn elsewhere(settings: &Settings, id: &VolumeId, pool: &Pool, node: String) -> Result<Error> {
    if !settings.pools.has_node(&node).await? {
        return Ok(Error::NotFound { what: Noun::Node, id: node });
    }
    let its = &pool.node;
    Ok(Error::unfit(format!(
        "volume {id} is on node {its} and can be attached there alone, not to node {node}: its pods have to run on {its}"
    )))
}

/// Returns whether the volume is attached as wanted, or why it cannot be.
fn is_attached(volume: &Volume, wanted: &Attachment) -> Result<bool> {
    let id = &volume.id;
    if let Some(there) = volume.attachments.iter().find(|has| has.node == wanted.node) {
        if there == wanted {
            return Ok(true);
        }
        let (node, mode) = (&there.node, there.mode);
        let only = if there.read_only { "read-only" } else { "writable" };
        let how = format!("attached to node {node} {only} as {mode:?}, not as asked");
        return Err(Error::Differs { what: Noun::Volume, id: id.to_string(), how });
    }
    let exclusive = |has: &&Attachment| !(has.mode.is_multi_node() && wanted.mode.is_multi_node());
    match volume.attachments.iter().find(exclusive) {
        Some(other) => Err(Error::InUse {
            what: Noun::Volume,
            id: id.to_string(),
            by: format!("attached to node {}", other.node),
        }),
        None => Ok(false),
    }
}

/// Takes one of the node's places for the volume, until its record is written: two calls for two volumes must not
/// both take the last one, and a slow pool must not hold up another's calls.
async fn take_place(settings: &Settings, id: &VolumeId, node: &str) -> Result<()> {
    let mut taken = settings.attaching.lock().await;
    let limit = settings.max_volumes_per_node;
    if limit > 0 {
        let volumes = settings.pools.volumes(None, usize::MAX).await?;
        let is_here = |(_, volume): &&(_, Volume)| {
            taken.contains(&volume.id) || volume.attachments.iter().any(|has| has.node == node)
        };
        let here = volumes.iter().filter(is_here).count();
        if u64::try_from(here).unwrap_or(u64::MAX) >= u64::from(limit) {
            return Err(Error::TooManyAttached { node: node.to_owned(), limit });
        }
    }
    taken.insert(id.clone());
    Ok(())
}
