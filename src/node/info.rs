//! NodeGetInfo and NodeGetCapabilities: who the node is and what its service can do.

use super::Settings;
use crate::csi::v1;
use crate::csi::v1::node_service_capability::{Rpc, Type, rpc};
use crate::volume::Topology;

const CAPABILITIES: [rpc::Type; 6] = [
    rpc::Type::StageUnstageVolume,
    rpc::Type::GetVolumeStats,
    rpc::Type::ExpandVolume,
    rpc::Type::SingleNodeMultiWriter,
    rpc::Type::GetVolumeHealth,
    rpc::Type::GetStorageHealth,
];

pub(super) fn capabilities() -> v1::NodeGetCapabilitiesResponse {
    let capability = |kind: rpc::Type| v1::NodeServiceCapability {
        r#type: Some(Type::Rpc(Rpc { r#type: kind.into() })),
    };
    v1::NodeGetCapabilitiesResponse { capabilities: CAPABILITIES.map(capability).into() }
}

pub(super) fn info(settings: &Settings) -> v1::NodeGetInfoResponse {
    v1::NodeGetInfoResponse {
        node_id: settings.node.clone(),
        max_volumes_per_node: settings.max_volumes_per_node.into(),
        accessible_topology: Some(Topology::of_node(&settings.node).to_csi()),
    }
}
