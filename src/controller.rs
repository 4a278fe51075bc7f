//! The Controller service: parse, lock, call, reply.
//!
//! It knows pools by the traits [`Pools`] and [`Backend`](crate::backend::Backend) alone and assumes nothing about
//! where they are. Each RPC is a function in a file of its own; this file only says which one answers.

mod capacity;
mod changes;
mod create;
mod delete;
mod expand;
mod get;
mod group;
mod health;
mod list;
mod modify;
mod publish;
mod snapshot;
mod validate;

pub(crate) use delete::known;

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::Mutex;
use tonic::{Request, Response, Status, async_trait};

use crate::backend::{Enforcer, Pool, Pools};
use crate::csi::v1;
use crate::csi::v1::controller_service_capability::{Rpc, Type, rpc};
use crate::locks::Locks;
use crate::rpc::{Method, answer, carry};
use crate::volume::{Bytes, Snapshot, Volume, VolumeId};

/// What the Controller service works with.
#[derive(Debug, Clone)]
pub struct Controller {
    shared: Arc<Settings>,
}

/// The parts and the settings of the service.
#[derive(Debug)]
pub struct Settings {
    /// The pools, wherever they are.
    pub pools: Arc<dyn Pools>,
    /// Shared with the Node service, where both are one process.
    pub locks: Locks,
    /// Whether ControllerPublish is on.
    pub attach: bool,
    /// How many volumes a node may have attached; 0 is no limit.
    pub max_volumes_per_node: u32,
    /// The volumes whose attachment is being written.
    pub attaching: Mutex<HashSet<VolumeId>>,
    /// The size of a volume that nobody gave one.
    pub default_size: Bytes,
    /// Who enforces limits, where that is this process.
    pub enforcer: Option<Arc<dyn Enforcer>>,
}

const ALWAYS: [rpc::Type; 13] = [
    rpc::Type::CreateDeleteVolume,
    rpc::Type::ListVolumes,
    rpc::Type::GetCapacity,
    rpc::Type::CreateDeleteSnapshot,
    rpc::Type::ListSnapshots,
    rpc::Type::GetSnapshot,
    rpc::Type::CloneVolume,
    rpc::Type::ExpandVolume,
    rpc::Type::GetVolume,
    rpc::Type::ModifyVolume,
    rpc::Type::SingleNodeMultiWriter,
    rpc::Type::GetVolumeHealth,
    rpc::Type::ListVolumeHealth,
];

const WITH_ATTACH: [rpc::Type; 3] = [
    rpc::Type::PublishUnpublishVolume,
    rpc::Type::PublishReadonly,
    rpc::Type::ListVolumesPublishedNodes,
];

// === impl Controller ===

impl Controller {
    /// Returns the service with these parts.
    pub fn new(settings: Settings) -> Self {
        Self { shared: Arc::new(settings) }
    }

    /// Answers a call that changes something. Where the pools are here, all of it runs on one thread that may block.
    async fn carry<T, F>(&self, method: Method, work: impl FnOnce(Arc<Settings>) -> F) -> Reply<T>
    where
        T: Send + 'static,
        F: Future<Output = crate::error::Result<T>> + Send + 'static,
    {
        let work = work(Arc::clone(&self.shared));
        if self.shared.pools.are_here() {
            return carry(method, work).await;
        }
        answer(method, work.await)
    }

    fn capabilities(&self) -> v1::ControllerGetCapabilitiesResponse {
        let attach: &[rpc::Type] = if self.shared.attach { &WITH_ATTACH } else { &[] };
        let all = ALWAYS.iter().chain(attach);
        let capability = |kind: &rpc::Type| v1::ControllerServiceCapability {
            r#type: Some(Type::Rpc(Rpc { r#type: (*kind).into() })),
        };
        v1::ControllerGetCapabilitiesResponse { capabilities: all.map(capability).collect() }
    }
}

// === impl Settings ===

impl Settings {
    /// Returns the nodes that the volume is attached to, which the attacher compares with its own records.
    fn published_nodes(&self, volume: &Volume) -> Vec<String> {
        // Without attaching nobody keeps the records true.
        let attachments = if self.attach { volume.attachments.as_slice() } else { &[] };
        attachments.iter().map(|attached| attached.node.clone()).collect()
    }
}

// === conversions to CSI ===

/// Returns the volume as CSI has it.
fn volume_to_csi(pool: &Pool, volume: &Volume) -> v1::Volume {
    v1::Volume {
        volume_id: volume.id.to_string(),
        capacity_bytes: volume.size.to_csi(),
        content_source: volume.source.as_ref().map(crate::volume::Source::to_csi),
        accessible_topology: vec![pool.topology().to_csi()],
        ..v1::Volume::default()
    }
}

/// Returns the snapshot as CSI has it. It can be restored where its pool is, and nowhere else.
fn snapshot_to_csi(pool: &Pool, snapshot: &Snapshot) -> v1::Snapshot {
    v1::Snapshot { accessible_topology: vec![pool.topology().to_csi()], ..snapshot.to_csi() }
}

type Reply<T> = Result<Response<T>, Status>;

#[async_trait]
impl v1::controller_server::Controller for Controller {
    async fn create_volume(
        &self,
        request: Request<v1::CreateVolumeRequest>,
    ) -> Reply<v1::CreateVolumeResponse> {
        self.carry(Method::CreateVolume, |shared| async move {
            create::create_volume(&shared, request.into_inner()).await
        })
        .await
    }

    async fn delete_volume(
        &self,
        request: Request<v1::DeleteVolumeRequest>,
    ) -> Reply<v1::DeleteVolumeResponse> {
        self.carry(Method::DeleteVolume, |shared| async move {
            delete::delete_volume(&shared, request.into_inner()).await
        })
        .await
    }

    async fn controller_publish_volume(
        &self,
        request: Request<v1::ControllerPublishVolumeRequest>,
    ) -> Reply<v1::ControllerPublishVolumeResponse> {
        self.carry(Method::ControllerPublishVolume, |shared| async move {
            publish::publish(&shared, request.into_inner()).await
        })
        .await
    }

    async fn controller_unpublish_volume(
        &self,
        request: Request<v1::ControllerUnpublishVolumeRequest>,
    ) -> Reply<v1::ControllerUnpublishVolumeResponse> {
        self.carry(Method::ControllerUnpublishVolume, |shared| async move {
            publish::unpublish(&shared, request.into_inner()).await
        })
        .await
    }

    async fn validate_volume_capabilities(
        &self,
        request: Request<v1::ValidateVolumeCapabilitiesRequest>,
    ) -> Reply<v1::ValidateVolumeCapabilitiesResponse> {
        answer(
            Method::ValidateVolumeCapabilities,
            validate::validate(&self.shared, request.into_inner()).await,
        )
    }

    async fn list_volumes(
        &self,
        request: Request<v1::ListVolumesRequest>,
    ) -> Reply<v1::ListVolumesResponse> {
        answer(Method::ListVolumes, list::list_volumes(&self.shared, request.into_inner()).await)
    }

    async fn controller_get_volume(
        &self,
        request: Request<v1::ControllerGetVolumeRequest>,
    ) -> Reply<v1::ControllerGetVolumeResponse> {
        answer(
            Method::ControllerGetVolume,
            get::get_volume(&self.shared, request.into_inner()).await,
        )
    }

    async fn get_capacity(
        &self,
        request: Request<v1::GetCapacityRequest>,
    ) -> Reply<v1::GetCapacityResponse> {
        answer(
            Method::GetCapacity,
            capacity::get_capacity(&self.shared, request.into_inner()).await,
        )
    }

    async fn create_snapshot(
        &self,
        request: Request<v1::CreateSnapshotRequest>,
    ) -> Reply<v1::CreateSnapshotResponse> {
        self.carry(Method::CreateSnapshot, |shared| async move {
            snapshot::create(&shared, request.into_inner()).await
        })
        .await
    }

    async fn delete_snapshot(
        &self,
        request: Request<v1::DeleteSnapshotRequest>,
    ) -> Reply<v1::DeleteSnapshotResponse> {
        self.carry(Method::DeleteSnapshot, |shared| async move {
            snapshot::delete(&shared, request.into_inner()).await
        })
        .await
    }

    async fn list_snapshots(
        &self,
        request: Request<v1::ListSnapshotsRequest>,
    ) -> Reply<v1::ListSnapshotsResponse> {
        answer(
            Method::ListSnapshots,
            list::list_snapshots(&self.shared, request.into_inner()).await,
        )
    }

    async fn get_snapshot(
        &self,
        request: Request<v1::GetSnapshotRequest>,
    ) -> Reply<v1::GetSnapshotResponse> {
        answer(Method::GetSnapshot, get::get_snapshot(&self.shared, request.into_inner()).await)
    }

    async fn controller_expand_volume(
        &self,
        request: Request<v1::ControllerExpandVolumeRequest>,
    ) -> Reply<v1::ControllerExpandVolumeResponse> {
        self.carry(Method::ControllerExpandVolume, |shared| async move {
            expand::expand_volume(&shared, request.into_inner()).await
        })
        .await
    }

    async fn controller_modify_volume(
        &self,
        request: Request<v1::ControllerModifyVolumeRequest>,
    ) -> Reply<v1::ControllerModifyVolumeResponse> {
        answer(
            Method::ControllerModifyVolume,
            modify::modify_volume(&self.shared, request.into_inner()).await,
        )
    }

    async fn controller_get_volume_health(
        &self,
        request: Request<v1::ControllerGetVolumeHealthRequest>,
    ) -> Reply<v1::ControllerGetVolumeHealthResponse> {
        answer(
            Method::ControllerGetVolumeHealth,
            health::get(&self.shared, request.into_inner()).await,
        )
    }

    async fn controller_list_volume_health(
        &self,
        request: Request<v1::ControllerListVolumeHealthRequest>,
    ) -> Reply<v1::ControllerListVolumeHealthResponse> {
        answer(
            Method::ControllerListVolumeHealth,
            health::list(&self.shared, request.into_inner()).await,
        )
    }

    async fn controller_get_capabilities(
        &self,
        _request: Request<v1::ControllerGetCapabilitiesRequest>,
    ) -> Reply<v1::ControllerGetCapabilitiesResponse> {
        Ok(Response::new(self.capabilities()))
    }
}
