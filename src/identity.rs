//! The Identity service: who the driver is and what it can do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tonic::{Request, Response, Status, async_trait};

use crate::csi::v1;
use crate::csi::v1::plugin_capability::{
    Service as Kind, Type, VolumeExpansion, service, volume_expansion,
};

/// The CSIDriver name of the volumes role: the provisioner that a StorageClass names.
pub const DRIVER_NAME: &str = "csi.orlop.dev";

/// The Identity service.
///
/// Every process of one deployment says the same here, whichever of the services it serves.
#[derive(Debug, Clone)]
pub struct Identity {
    ready: Arc<AtomicBool>,
    tells_changes: bool,
}

/// The plugin capabilities, in the order of the contract.
const SERVICES: [service::Type; 4] = [
    service::Type::ControllerService,
    service::Type::VolumeAccessibilityConstraints,
    service::Type::GroupControllerService,
    service::Type::SnapshotAccessibilityConstraints,
];

// === impl Identity ===

impl Identity {
    /// Returns an identity that is ready as long as the flag says so.
    pub fn new(ready: Arc<AtomicBool>) -> Self {
        Self { ready, tells_changes: false }
    }

    /// Says whether the SnapshotMetadata service of the deployment has anything to tell.
    #[must_use]
    pub fn telling_changes(self, tells_changes: bool) -> Self {
        Self { tells_changes, ..self }
    }
}

#[async_trait]
impl v1::identity_server::Identity for Identity {
    async fn get_plugin_info(
        &self,
        _request: Request<v1::GetPluginInfoRequest>,
    ) -> Result<Response<v1::GetPluginInfoResponse>, Status> {
        Ok(Response::new(v1::GetPluginInfoResponse {
            name: DRIVER_NAME.to_owned(),
            vendor_version: env!("CARGO_PKG_VERSION").to_owned(),
            ..v1::GetPluginInfoResponse::default()
        }))
    }

    async fn get_plugin_capabilities(
        &self,
        _request: Request<v1::GetPluginCapabilitiesRequest>,
    ) -> Result<Response<v1::GetPluginCapabilitiesResponse>, Status> {
        let changes = self.tells_changes.then_some(service::Type::SnapshotMetadataService);
        let services = SERVICES.into_iter().chain(changes);
        let services = services.map(|kind| Type::Service(Kind { r#type: kind.into() }));
        let online = volume_expansion::Type::Online.into();
        let expansion = Type::VolumeExpansion(VolumeExpansion { r#type: online });
        let all = services.chain([expansion]);
        let capabilities = all.map(|kind| v1::PluginCapability { r#type: Some(kind) }).collect();
        Ok(Response::new(v1::GetPluginCapabilitiesResponse { capabilities }))
    }

    /// Takes no lock and touches no disk: livenessprobe restarts the driver when this is slow.
    async fn probe(
        &self,
        _request: Request<v1::ProbeRequest>,
    ) -> Result<Response<v1::ProbeResponse>, Status> {
        Ok(Response::new(v1::ProbeResponse { ready: Some(self.ready.load(Ordering::Relaxed)) }))
    }
}
