//! DeleteVolume.

use super::Settings;
use crate::csi::v1;
use crate::error::{Error, Noun, Result};
use crate::rpc::record_volume;
use crate::volume::VolumeId;

pub(super) async fn delete_volume(
    settings: &Settings,
    request: v1::DeleteVolumeRequest,
) -> Result<v1::DeleteVolumeResponse> {
    let Some(id) = known(VolumeId::required(&request.volume_id))? else {
        return Ok(v1::DeleteVolumeResponse {});
    };
    record_volume(&id);
    let _guard = settings.locks.try_lock(&id)?;
    if let Some((pool, attachments)) = settings.pools.keeper(&id).await? {
        // A record of this node is ignored when the kernel shows no use of the volume, which the backend
        // checks: a node that lost its state must not pin its volumes for ever.
        let elsewhere = attachments.iter().find(|attached| *attached.node != *pool.node);
        if let Some(attached) = elsewhere {
            let by = format!(
                "attached to node {}; unpublish it there, or clear the record with `orlop detach {id} --force`",
                attached.node
            );
            return Err(Error::InUse { what: Noun::Volume, id: id.to_string(), by });
        }
        pool.backend.delete(&id).await?;
    }
    Ok(v1::DeleteVolumeResponse {})
}

/// An id that is none of ours is an id of something that is gone: undoing succeeds.
pub(crate) fn known<T>(id: Result<T>) -> Result<Option<T>> {
    match id {
        Ok(id) => Ok(Some(id)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}
