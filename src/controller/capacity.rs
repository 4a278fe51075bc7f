//! GetCapacity: what the pools can still give.

use super::Settings;
use crate::csi::v1;
use crate::error::Result;
use crate::volume::{Capability, Content, FsType, Parameters, Requirement};

pub(super) async fn get_capacity(
    settings: &Settings,
    request: v1::GetCapacityRequest,
) -> Result<v1::GetCapacityResponse> {
    let parameters = Parameters::parse(&request.parameters)?;
    let within = Requirement::of_segment(request.accessible_topology.as_ref())?;
    let class = parameters.pool.as_deref();
    let capacity = settings.pools.capacity(class, &within, content(&request)?).await?;
    let Some(capacity) = capacity else { return Ok(v1::GetCapacityResponse::default()) };
    Ok(v1::GetCapacityResponse {
        available_capacity: capacity.available.to_csi(),
        maximum_volume_size: Some(capacity.largest.to_csi()),
        minimum_volume_size: Some(capacity.least.to_csi()),
    })
}

/// The provisioner sends no capabilities, but all parameters of the class, the file system among them.
fn content(request: &v1::GetCapacityRequest) -> Result<Content> {
    if request.volume_capabilities.is_empty() {
        let named = request.parameters.get("csi.storage.k8s.io/fstype");
        let fs = named.and_then(|name| name.parse().ok());
        return Ok(fs.map_or(Content::Block, Content::FileSystem));
    }
    let capabilities = Capability::required_list(&request.volume_capabilities)?;
    let default = Content::FileSystem(FsType::Ext4);
    Ok(Capability::named_content(&capabilities)?.unwrap_or(default))
}
