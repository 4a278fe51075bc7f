//! The Node service: parse, lock, call, reply.
//!
//! It remembers nothing: what is mounted where is asked of the [`Host`], which device a volume is of its
//! [`Local`](crate::backend::Local) pool. Each RPC is a function in a file of its own.

mod asking;
mod expand;
mod health;
mod info;
mod limits;
mod path;
mod publish;
mod stage;
mod stats;
mod volume;

pub use limits::Limiter;

use std::sync::Arc;

use tonic::{Request, Response, Status, async_trait};

use crate::backend::{Freed, Registry};
use crate::csi::v1;
use crate::host::Host;
use crate::locks::Locks;
use crate::rpc::{Method, answer, carry};

use asking::Asking;

/// What the Node service works with.
#[derive(Debug, Clone)]
pub struct Node {
    shared: Arc<Settings>,
    asking: Asking,
}

/// The parts and the settings of the service.
#[derive(Debug)]
pub struct Settings {
    /// The pools of this node.
    pub pools: Registry,
    /// Shared with the Controller service, where both are one process.
    pub locks: Locks,
    /// This node's mounts.
    pub host: Arc<dyn Host>,
    /// What enforces the limits of the volumes.
    pub limiter: Arc<Limiter>,
    /// Where it is told that a volume is not staged any more.
    pub freed: Freed,
    /// This node's id.
    pub node: String,
    /// How many volumes the node may have; 0 is no limit.
    pub max_volumes_per_node: u32,
}

// === impl Node ===

impl Node {
    /// Returns the service with these parts.
    pub fn new(settings: Settings) -> Self {
        Self { shared: Arc::new(settings), asking: Asking::new(asking::MOST) }
    }
}

type Reply<T> = Result<Response<T>, Status>;

#[async_trait]
impl v1::node_server::Node for Node {
    async fn node_stage_volume(
        &self,
        request: Request<v1::NodeStageVolumeRequest>,
    ) -> Reply<v1::NodeStageVolumeResponse> {
        let shared = Arc::clone(&self.shared);
        carry(
            Method::NodeStageVolume,
            async move { stage::stage(&shared, request.into_inner()).await },
        )
        .await
    }

    async fn node_unstage_volume(
        &self,
        request: Request<v1::NodeUnstageVolumeRequest>,
    ) -> Reply<v1::NodeUnstageVolumeResponse> {
        let shared = Arc::clone(&self.shared);
        carry(Method::NodeUnstageVolume, async move {
            stage::unstage(&shared, request.into_inner()).await
        })
        .await
    }

    async fn node_publish_volume(
        &self,
        request: Request<v1::NodePublishVolumeRequest>,
    ) -> Reply<v1::NodePublishVolumeResponse> {
        let shared = Arc::clone(&self.shared);
        carry(Method::NodePublishVolume, async move {
            publish::publish(&shared, request.into_inner()).await
        })
        .await
    }

    async fn node_unpublish_volume(
        &self,
        request: Request<v1::NodeUnpublishVolumeRequest>,
    ) -> Reply<v1::NodeUnpublishVolumeResponse> {
        let shared = Arc::clone(&self.shared);
        carry(Method::NodeUnpublishVolume, async move {
            publish::unpublish(&shared, request.into_inner()).await
        })
        .await
    }

    async fn node_get_volume_stats(
        &self,
        request: Request<v1::NodeGetVolumeStatsRequest>,
    ) -> Reply<v1::NodeGetVolumeStatsResponse> {
        answer(
            Method::NodeGetVolumeStats,
            stats::stats(&self.shared, &self.asking, request.into_inner()).await,
        )
    }

    async fn node_get_volume_health(
        &self,
        request: Request<v1::NodeGetVolumeHealthRequest>,
    ) -> Reply<v1::NodeGetVolumeHealthResponse> {
        answer(
            Method::NodeGetVolumeHealth,
            health::volume(&self.shared, &self.asking, request.into_inner()).await,
        )
    }

    async fn node_get_storage_health(
        &self,
        _request: Request<v1::NodeGetStorageHealthRequest>,
    ) -> Reply<v1::NodeGetStorageHealthResponse> {
        answer(Method::NodeGetStorageHealth, health::storage(&self.shared).await)
    }

    async fn node_expand_volume(
        &self,
        request: Request<v1::NodeExpandVolumeRequest>,
    ) -> Reply<v1::NodeExpandVolumeResponse> {
        let shared = Arc::clone(&self.shared);
        carry(Method::NodeExpandVolume, async move {
            expand::expand(&shared, request.into_inner()).await
        })
        .await
    }

    async fn node_get_capabilities(
        &self,
        _request: Request<v1::NodeGetCapabilitiesRequest>,
    ) -> Reply<v1::NodeGetCapabilitiesResponse> {
        Ok(Response::new(info::capabilities()))
    }

    async fn node_get_info(
        &self,
        _request: Request<v1::NodeGetInfoRequest>,
    ) -> Reply<v1::NodeGetInfoResponse> {
        Ok(Response::new(info::info(&self.shared)))
    }
}
