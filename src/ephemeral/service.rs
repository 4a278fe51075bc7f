//! The Node and Identity services of a role.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tonic::{Request, Response, Status, async_trait};

use super::frame::{Frame, Settings};
use super::{InlineId, Role, collect, publish, stats};
use crate::csi::v1;
use crate::csi::v1::node_service_capability::{Rpc, Type, rpc};
use crate::error::Result;
use crate::rpc::{Method, answer, carry};
use crate::sys::questions::Questions;

/// How many volumes can hang at once when they are asked how full they are.
const MOST_ASKED: usize = 16;

/// The services of one role; clones are the same.
#[derive(Debug, Clone)]
pub struct Inline {
    frame: Arc<Frame>,
    asking: Questions<InlineId>,
    _collector: Arc<Collector>,
}

/// What looks for volumes of pods that are gone, until it is dropped.
#[derive(Debug)]
struct Collector(JoinHandle<()>);

// === impl Inline ===

impl Inline {
    /// Opens what the role has, and begins to collect what nobody has any more.
    pub fn start(settings: Settings) -> Result<Self> {
        let frame = Arc::new(Frame::open(settings)?);
        let collector = Arc::new(Collector(tokio::spawn(collect::run(Arc::clone(&frame)))));
        Ok(Self { frame, asking: Questions::new(MOST_ASKED), _collector: collector })
    }

    /// Returns which role it is.
    pub fn role(&self) -> Role {
        self.frame.settings.role
    }

    /// Returns how many errors of a republish were noted and not told.
    pub fn masked_errors(&self) -> u64 {
        self.frame.masked()
    }

    fn capabilities(&self) -> Vec<rpc::Type> {
        let role = self.role();
        let stats = role.has_stats().then_some(rpc::Type::GetVolumeStats);
        let group = role.has_volume_mount_group().then_some(rpc::Type::VolumeMountGroup);
        let health = role.has_health().then_some(rpc::Type::GetVolumeHealth);
        let all = [Some(rpc::Type::SingleNodeMultiWriter), stats, group, health];
        all.into_iter().flatten().collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.0.abort();
    }
}

type Reply<T> = std::result::Result<Response<T>, Status>;

#[async_trait]
impl v1::node_server::Node for Inline {
    async fn node_publish_volume(
        &self,
        request: Request<v1::NodePublishVolumeRequest>,
    ) -> Reply<v1::NodePublishVolumeResponse> {
        let frame = Arc::clone(&self.frame);
        carry(Method::NodePublishVolume, async move {
            publish::publish(&frame, request.into_inner()).await
        })
        .await
    }

    async fn node_unpublish_volume(
        &self,
        request: Request<v1::NodeUnpublishVolumeRequest>,
    ) -> Reply<v1::NodeUnpublishVolumeResponse> {
        let frame = Arc::clone(&self.frame);
        carry(Method::NodeUnpublishVolume, async move {
            publish::unpublish(&frame, request.into_inner()).await
        })
        .await
    }

    async fn node_get_volume_stats(
        &self,
        request: Request<v1::NodeGetVolumeStatsRequest>,
    ) -> Reply<v1::NodeGetVolumeStatsResponse> {
        if !self.role().has_stats() {
            return Err(Status::unimplemented("a directory of the host has no size of its own"));
        }
        let usage = stats::stats(&self.frame, &self.asking, request.into_inner()).await;
        answer(Method::NodeGetVolumeStats, usage)
    }

    async fn node_get_volume_health(
        &self,
        request: Request<v1::NodeGetVolumeHealthRequest>,
    ) -> Reply<v1::NodeGetVolumeHealthResponse> {
        let health = stats::health_of(&self.frame, &request.into_inner());
        answer(Method::NodeGetVolumeHealth, health)
    }

    async fn node_get_capabilities(
        &self,
        _request: Request<v1::NodeGetCapabilitiesRequest>,
    ) -> Reply<v1::NodeGetCapabilitiesResponse> {
        let capability = |kind: rpc::Type| v1::NodeServiceCapability {
            r#type: Some(Type::Rpc(Rpc { r#type: kind.into() })),
        };
        let capabilities = self.capabilities().into_iter().map(capability).collect();
        Ok(Response::new(v1::NodeGetCapabilitiesResponse { capabilities }))
    }

    /// Inline volumes are wherever their pod is: they have no topology.
    async fn node_get_info(
        &self,
        _request: Request<v1::NodeGetInfoRequest>,
    ) -> Reply<v1::NodeGetInfoResponse> {
        Ok(Response::new(v1::NodeGetInfoResponse {
            node_id: self.frame.settings.node.clone(),
            ..v1::NodeGetInfoResponse::default()
        }))
    }
}

#[async_trait]
impl v1::identity_server::Identity for Inline {
    async fn get_plugin_info(
        &self,
        _request: Request<v1::GetPluginInfoRequest>,
    ) -> Reply<v1::GetPluginInfoResponse> {
        Ok(Response::new(v1::GetPluginInfoResponse {
            name: self.role().driver_name().to_owned(),
            vendor_version: env!("CARGO_PKG_VERSION").to_owned(),
            ..v1::GetPluginInfoResponse::default()
        }))
    }

    /// There is no Controller service, and nothing else that a sidecar could use.
    async fn get_plugin_capabilities(
        &self,
        _request: Request<v1::GetPluginCapabilitiesRequest>,
    ) -> Reply<v1::GetPluginCapabilitiesResponse> {
        Ok(Response::new(v1::GetPluginCapabilitiesResponse::default()))
    }

    async fn probe(&self, _request: Request<v1::ProbeRequest>) -> Reply<v1::ProbeResponse> {
        Ok(Response::new(v1::ProbeResponse { ready: Some(true) }))
    }
}
