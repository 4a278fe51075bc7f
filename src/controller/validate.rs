//! ValidateVolumeCapabilities: whether a volume can be used as described.

use super::Settings;
use crate::csi::v1;
use crate::csi::v1::validate_volume_capabilities_response::Confirmed;
use crate::error::{Error, Result};
use crate::rpc::record_volume;
use crate::volume::{Capability, LimitsChange, Parameters, Volume, VolumeId};

pub(super) async fn validate(
    settings: &Settings,
    request: v1::ValidateVolumeCapabilitiesRequest,
) -> Result<v1::ValidateVolumeCapabilitiesResponse> {
    let id = VolumeId::required(&request.volume_id);
    if request.volume_capabilities.is_empty() {
        return Err(Error::invalid("volume_capabilities", "needs at least one"));
    }
    let id = id?;
    record_volume(&id);
    let (pool, volume) = settings.pools.volume(&id).await?;
    if let Err(why) = confirm(&request, &pool.name, &volume) {
        let message = why.sentence();
        return Ok(v1::ValidateVolumeCapabilitiesResponse { confirmed: None, message });
    }
    // volume_context is not compared: the sidecars add keys of their own to it.
    let confirmed = Some(Confirmed {
        volume_context: request.volume_context,
        volume_capabilities: request.volume_capabilities,
        parameters: request.parameters,
        mutable_parameters: request.mutable_parameters,
    });
    Ok(v1::ValidateVolumeCapabilitiesResponse { confirmed, message: String::new() })
}

/// Says why the volume is not as described, if it is not.
fn confirm(
    request: &v1::ValidateVolumeCapabilitiesRequest,
    pool: &str,
    volume: &Volume,
) -> Result<()> {
    for capability in Capability::required_list(&request.volume_capabilities)? {
        if let Some(how) = capability.mismatch(volume.content) {
            return Err(Error::invalid("volume_capabilities", how));
        }
    }
    let parameters = Parameters::parse(&request.parameters)?;
    if parameters.pool.is_some_and(|wanted| wanted != pool) {
        return Err(Error::invalid("parameters.pool", format!("the volume is in pool {pool}")));
    }
    if parameters.block_size.is_some_and(|wanted| wanted != volume.block_size) {
        let reason = format!("the volume has {} blocks", volume.block_size);
        return Err(Error::invalid("parameters.blockSize", reason));
    }
    let change = LimitsChange::parse(&request.mutable_parameters)?;
    if volume.limits.changed(&change) != volume.limits {
        let reason = format!("the volume has {}", volume.limits);
        return Err(Error::invalid("mutable_parameters", reason));
    }
    Ok(())
}
