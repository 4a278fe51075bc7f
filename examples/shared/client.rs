//! The calls that Kubernetes would make, one function each, for volumes with an XFS.

use std::collections::HashMap;
use std::path::Path;

use orlop::csi::v1;
use orlop::csi::v1::controller_client::ControllerClient;
use orlop::csi::v1::group_controller_client::GroupControllerClient;
use orlop::csi::v1::identity_client::IdentityClient;
use orlop::csi::v1::node_client::NodeClient;
use orlop::csi::v1::snapshot_metadata_client::SnapshotMetadataClient;
use orlop::csi::v1::volume_capability::access_mode::Mode;
use orlop::csi::v1::volume_capability::{AccessMode, AccessType, MountVolume};
use orlop::csi::v1::volume_content_source::{SnapshotSource, Type, VolumeSource};
use orlop::volume::TOPOLOGY_KEY;
use tonic::transport::Channel;

use super::driver::Result;

/// Makes calls to a driver. A clone shares the connection.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    identity: IdentityClient<Channel>,
    controller: ControllerClient<Channel>,
    groups: GroupControllerClient<Channel>,
    node: NodeClient<Channel>,
    metadata: SnapshotMetadataClient<Channel>,
}

/// What a volume is made from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source<'a> {
    Nothing,
    Snapshot(&'a str),
    Volume(&'a str),
}

// === impl Client ===

impl Client {
    pub(crate) fn new(channel: &Channel) -> Self {
        Self {
            identity: IdentityClient::new(channel.clone()),
            controller: ControllerClient::new(channel.clone()),
            groups: GroupControllerClient::new(channel.clone()),
            node: NodeClient::new(channel.clone()),
            metadata: SnapshotMetadataClient::new(channel.clone()),
        }
    }

    /// Returns whether the driver says that it is ready.
    pub(crate) async fn probe(&self) -> Result<bool> {
        let answer = self.identity.clone().probe(v1::ProbeRequest {}).await?;
        Ok(answer.into_inner().ready.unwrap_or(true))
    }

    /// Makes a volume and returns its id.
    pub(crate) async fn create(&self, name: &str, bytes: u64, from: Source<'_>) -> Result<String> {
        let request = v1::CreateVolumeRequest {
            name: name.to_owned(),
            capacity_range: Some(range(bytes)?),
            volume_capabilities: vec![xfs()],
            volume_content_source: from.to_csi(),
            ..v1::CreateVolumeRequest::default()
        };
        let answer = self.controller.clone().create_volume(request).await?.into_inner();
        Ok(answer.volume.ok_or("the answer holds no volume")?.volume_id)
    }

    pub(crate) async fn delete(&self, id: &str) -> Result<()> {
        let volume_id = id.to_owned();
        let request = v1::DeleteVolumeRequest { volume_id, ..v1::DeleteVolumeRequest::default() };
        self.controller.clone().delete_volume(request).await?;
        Ok(())
    }

    /// Makes a snapshot and returns its id.
    pub(crate) async fn snapshot(&self, name: &str, of: &str) -> Result<String> {
        let request = v1::CreateSnapshotRequest {
            name: name.to_owned(),
            source_volume_id: of.to_owned(),
            ..v1::CreateSnapshotRequest::default()
        };
        let answer = self.controller.clone().create_snapshot(request).await?.into_inner();
        Ok(answer.snapshot.ok_or("the answer holds no snapshot")?.snapshot_id)
    }

    pub(crate) async fn delete_snapshot(&self, id: &str) -> Result<()> {
        let snapshot_id = id.to_owned();
        let request =
            v1::DeleteSnapshotRequest { snapshot_id, ..v1::DeleteSnapshotRequest::default() };
        self.controller.clone().delete_snapshot(request).await?;
        Ok(())
    }

    /// Cuts the volumes at one instant and returns the group.
    pub(crate) async fn group(&self, name: &str, of: &[&str]) -> Result<v1::VolumeGroupSnapshot> {
        let request = v1::CreateVolumeGroupSnapshotRequest {
            name: name.to_owned(),
            source_volume_ids: of.iter().map(|&id| id.to_owned()).collect(),
            ..v1::CreateVolumeGroupSnapshotRequest::default()
        };
        let answer = self.groups.clone().create_volume_group_snapshot(request).await?.into_inner();
        Ok(answer.group_snapshot.ok_or("the answer holds no group")?)
    }

    pub(crate) async fn delete_group(&self, group: &v1::VolumeGroupSnapshot) -> Result<()> {
        let members = group.snapshots.iter().map(|member| member.snapshot_id.clone());
        let request = v1::DeleteVolumeGroupSnapshotRequest {
            group_snapshot_id: group.group_snapshot_id.clone(),
            snapshot_ids: members.collect(),
            ..v1::DeleteVolumeGroupSnapshotRequest::default()
        };
        self.groups.clone().delete_volume_group_snapshot(request).await?;
        Ok(())
    }

    /// Returns how many bytes are told to have changed, when all is told.
    pub(crate) async fn changed(&self, request: v1::GetMetadataDeltaRequest) -> Result<u64> {
        let mut stream = self.metadata.clone().get_metadata_delta(request).await?.into_inner();
        let mut bytes = 0;
        while let Some(message) = stream.message().await? {
            for block in message.block_metadata {
                bytes += u64::try_from(block.size_bytes)?;
            }
        }
        Ok(bytes)
    }

    /// Returns how many bytes new volumes can still have on the node.
    pub(crate) async fn capacity(&self, node: &str) -> Result<i64> {
        let segments = HashMap::from([(TOPOLOGY_KEY.to_owned(), node.to_owned())]);
        let request = v1::GetCapacityRequest {
            accessible_topology: Some(v1::Topology { segments }),
            ..v1::GetCapacityRequest::default()
        };
        Ok(self.controller.clone().get_capacity(request).await?.into_inner().available_capacity)
    }

    /// Returns how many volumes the driver lists, on all pages together.
    pub(crate) async fn count(&self) -> Result<usize> {
        let (mut count, mut starting_token) = (0, String::new());
        loop {
            let request = v1::ListVolumesRequest { max_entries: 0, starting_token };
            let page = self.controller.clone().list_volumes(request).await?.into_inner();
            count += page.entries.len();
            if page.next_token.is_empty() {
                return Ok(count);
            }
            starting_token = page.next_token;
        }
    }

    /// Mounts the volume at an existing directory, once for the node.
    pub(crate) async fn stage(&self, id: &str, staging: &Path) -> Result<()> {
        let request = v1::NodeStageVolumeRequest {
            volume_id: id.to_owned(),
            staging_target_path: staging.display().to_string(),
            volume_capability: Some(xfs()),
            ..v1::NodeStageVolumeRequest::default()
        };
        self.node.clone().node_stage_volume(request).await?;
        Ok(())
    }

    /// Shows the staged volume at a path that does not exist yet.
    pub(crate) async fn publish(&self, id: &str, staging: &Path, target: &Path) -> Result<()> {
        let request = v1::NodePublishVolumeRequest {
            volume_id: id.to_owned(),
            staging_target_path: staging.display().to_string(),
            target_path: target.display().to_string(),
            volume_capability: Some(xfs()),
            ..v1::NodePublishVolumeRequest::default()
        };
        self.node.clone().node_publish_volume(request).await?;
        Ok(())
    }

    pub(crate) async fn unpublish(&self, id: &str, target: &Path) -> Result<()> {
        let (volume_id, target_path) = (id.to_owned(), target.display().to_string());
        let request = v1::NodeUnpublishVolumeRequest { volume_id, target_path };
        self.node.clone().node_unpublish_volume(request).await?;
        Ok(())
    }

    pub(crate) async fn unstage(&self, id: &str, staging: &Path) -> Result<()> {
        let (volume_id, staging_target_path) = (id.to_owned(), staging.display().to_string());
        let request = v1::NodeUnstageVolumeRequest { volume_id, staging_target_path };
        self.node.clone().node_unstage_volume(request).await?;
        Ok(())
    }

    /// Grows the volume, and its file system that is mounted at the path.
    pub(crate) async fn expand(&self, id: &str, bytes: u64, at: &Path) -> Result<()> {
        let request = v1::ControllerExpandVolumeRequest {
            volume_id: id.to_owned(),
            capacity_range: Some(range(bytes)?),
            ..v1::ControllerExpandVolumeRequest::default()
        };
        self.controller.clone().controller_expand_volume(request).await?;
        let request = v1::NodeExpandVolumeRequest {
            volume_id: id.to_owned(),
            volume_path: at.display().to_string(),
            ..v1::NodeExpandVolumeRequest::default()
        };
        self.node.clone().node_expand_volume(request).await?;
        Ok(())
    }
}

// === impl Source ===

impl Source<'_> {
    fn to_csi(self) -> Option<v1::VolumeContentSource> {
        let source = match self {
            Self::Nothing => return None,
            Self::Snapshot(id) => Type::Snapshot(SnapshotSource { snapshot_id: id.to_owned() }),
            Self::Volume(id) => Type::Volume(VolumeSource { volume_id: id.to_owned() }),
        };
        Some(v1::VolumeContentSource { r#type: Some(source) })
    }
}

fn range(bytes: u64) -> Result<v1::CapacityRange> {
    Ok(v1::CapacityRange { required_bytes: i64::try_from(bytes)?, limit_bytes: 0 })
}

fn xfs() -> v1::VolumeCapability {
    let mount = MountVolume { fs_type: "xfs".to_owned(), ..MountVolume::default() };
    v1::VolumeCapability {
        access_type: Some(AccessType::Mount(mount)),
        access_mode: Some(AccessMode { mode: Mode::SingleNodeWriter.into() }),
    }
}
