//! The GroupController service: snapshots of several volumes, cut at one instant.
//!
//! It is served beside the Controller service and shares its parts. This file only says which function answers.

mod create;
mod known;

use tonic::{Request, Response, async_trait};

use super::{Controller, Reply, Settings, snapshot_to_csi};
use crate::backend::Pool;
use crate::csi::v1;
use crate::csi::v1::group_controller_service_capability::{Rpc, Type, rpc};
use crate::error::{Error, Result};
use crate::rpc::{Method, answer};
use crate::volume::Group;

impl Settings {
    /// Returns the group as CSI has it, with all its members.
    async fn group_to_csi(&self, pool: &Pool, group: &Group) -> Result<v1::VolumeGroupSnapshot> {
        let mut members = Vec::with_capacity(group.members().len());
        for member in group.members() {
            let Some(snapshot) = pool.snapshots()?.find(&member).await? else {
                let id = &group.id;
                return Err(match self.pools.find_group(id).await? {
                    // It was deleted while we looked.
                    None => Error::no_group(id),
                    Some(_) => Error::unfit(format!(
                        "group snapshot {id} has lost its member {member}: bring its directory back into the pool, or \
                         delete the group"
                    )),
                });
            };
            members.push(snapshot_to_csi(pool, &snapshot));
        }
        Ok(group.to_csi(members))
    }
}

#[async_trait]
impl v1::group_controller_server::GroupController for Controller {
    async fn group_controller_get_capabilities(
        &self,
        _request: Request<v1::GroupControllerGetCapabilitiesRequest>,
    ) -> Reply<v1::GroupControllerGetCapabilitiesResponse> {
        let rpc = Rpc { r#type: rpc::Type::CreateDeleteGetVolumeGroupSnapshot.into() };
        let all = v1::GroupControllerServiceCapability { r#type: Some(Type::Rpc(rpc)) };
        let capabilities = vec![all];
        Ok(Response::new(v1::GroupControllerGetCapabilitiesResponse { capabilities }))
    }

    async fn create_volume_group_snapshot(
        &self,
        request: Request<v1::CreateVolumeGroupSnapshotRequest>,
    ) -> Reply<v1::CreateVolumeGroupSnapshotResponse> {
        answer(
            Method::CreateVolumeGroupSnapshot,
            create::create(&self.shared, request.into_inner()).await,
        )
    }

    async fn delete_volume_group_snapshot(
        &self,
        request: Request<v1::DeleteVolumeGroupSnapshotRequest>,
    ) -> Reply<v1::DeleteVolumeGroupSnapshotResponse> {
        answer(
            Method::DeleteVolumeGroupSnapshot,
            known::delete(&self.shared, request.into_inner()).await,
        )
    }

    async fn get_volume_group_snapshot(
        &self,
        request: Request<v1::GetVolumeGroupSnapshotRequest>,
    ) -> Reply<v1::GetVolumeGroupSnapshotResponse> {
        answer(Method::GetVolumeGroupSnapshot, known::get(&self.shared, request.into_inner()).await)
    }
}
