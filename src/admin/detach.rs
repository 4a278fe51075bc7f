//! Clears the attach records of a volume, when nothing on this node uses it: what is left to do when an
//! orchestrator has lost its memory and will never call ControllerUnpublish.

use crate::backend::Registry;
use crate::error::{Error, Noun, Result};
use crate::locks::Locks;
use crate::rpc::record_volume;
use crate::volume::VolumeId;

/// Detaches the volume from this node and says what was done, in a sentence.
///
/// Use is what the kernel says: a mount or an open device is an error that names it. A record alone is cleared
/// with `force` only, because the orchestrator that wrote it may come back.
pub async fn detach(pools: &Registry, locks: &Locks, id: &str, force: bool) -> Result<String> {
    let id = VolumeId::required(id)?;
    record_volume(&id);
    let _guard = locks.try_lock(&id)?;
    let (pool, volume) = pools.volume(&id).await?;
    let nodes: Vec<&str> =
        volume.attachments.iter().map(|attachment| attachment.node.as_str()).collect();
    let nodes = nodes.join(", ");
    if !nodes.is_empty() && !force {
        let by = format!(
            "it is recorded as attached to {nodes}; --force clears that when nothing uses it"
        );
        return Err(Error::InUse { what: Noun::Volume, id: id.to_string(), by });
    }
    let device = pool.backend.detach(&id).await?;
    if nodes.is_empty() {
        return Ok(if device.is_made() {
            format!("volume {id} had a device that nothing used: it is detached")
        } else {
            format!("volume {id} is not attached: nothing to do")
        });
    }
    pool.backend.set_attachments(&id, &[]).await?;
    tracing::info!(nodes, "attach record cleared by an admin");
    Ok(format!("volume {id} is no longer recorded as attached to {nodes}"))
}
