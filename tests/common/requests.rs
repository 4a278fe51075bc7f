//! Requests as an orchestrator sends them; tests change the one field they are about.

use std::collections::HashMap;

use orlop::csi::v1;
use orlop::csi::v1::volume_capability::access_mode::Mode;
use orlop::csi::v1::volume_capability::{AccessMode, AccessType, BlockVolume, MountVolume};
use orlop::csi::v1::volume_content_source::{SnapshotSource, Type, VolumeSource};

pub const MIB: i64 = 1 << 20;

/// Returns the capability of a file system that one node writes.
pub fn mount() -> v1::VolumeCapability {
    file_system("", Mode::SingleNodeWriter)
}

/// Returns the capability of a file system.
pub fn file_system(fs: &str, mode: Mode) -> v1::VolumeCapability {
    let mount = MountVolume { fs_type: fs.to_owned(), ..MountVolume::default() };
    capability(AccessType::Mount(mount), mode)
}

/// Returns the capability of a raw device that one node writes.
pub fn block() -> v1::VolumeCapability {
    capability(AccessType::Block(BlockVolume {}), Mode::SingleNodeWriter)
}

pub fn capability(access: AccessType, mode: Mode) -> v1::VolumeCapability {
    let access_mode = Some(AccessMode { mode: mode.into() });
    v1::VolumeCapability { access_type: Some(access), access_mode }
}

pub fn at_least(required_bytes: i64) -> Option<v1::CapacityRange> {
    Some(v1::CapacityRange { required_bytes, limit_bytes: 0 })
}

/// Returns the request for a 512 MiB volume with a file system.
pub fn create(name: &str) -> v1::CreateVolumeRequest {
    v1::CreateVolumeRequest {
        name: name.to_owned(),
        capacity_range: at_least(512 * MIB),
        volume_capabilities: vec![mount()],
        ..v1::CreateVolumeRequest::default()
    }
}

/// Returns the request for a 512 MiB raw volume.
pub fn create_block(name: &str) -> v1::CreateVolumeRequest {
    v1::CreateVolumeRequest { volume_capabilities: vec![block()], ..create(name) }
}

pub fn of_snapshot(id: &str) -> Option<v1::VolumeContentSource> {
    let source = SnapshotSource { snapshot_id: id.to_owned() };
    Some(v1::VolumeContentSource { r#type: Some(Type::Snapshot(source)) })
}

pub fn of_volume(id: &str) -> Option<v1::VolumeContentSource> {
    let source = VolumeSource { volume_id: id.to_owned() };
    Some(v1::VolumeContentSource { r#type: Some(Type::Volume(source)) })
}

pub fn delete(volume_id: &str) -> v1::DeleteVolumeRequest {
    v1::DeleteVolumeRequest {
        volume_id: volume_id.to_owned(),
        ..v1::DeleteVolumeRequest::default()
    }
}

pub fn snapshot(name: &str, source: &str) -> v1::CreateSnapshotRequest {
    v1::CreateSnapshotRequest {
        name: name.to_owned(),
        source_volume_id: source.to_owned(),
        ..v1::CreateSnapshotRequest::default()
    }
}

pub fn delete_snapshot(snapshot_id: &str) -> v1::DeleteSnapshotRequest {
    v1::DeleteSnapshotRequest {
        snapshot_id: snapshot_id.to_owned(),
        ..v1::DeleteSnapshotRequest::default()
    }
}

pub fn allocated(snapshot_id: &str) -> v1::GetMetadataAllocatedRequest {
    v1::GetMetadataAllocatedRequest {
        snapshot_id: snapshot_id.to_owned(),
        ..v1::GetMetadataAllocatedRequest::default()
    }
}

pub fn delta(base: &str, target: &str) -> v1::GetMetadataDeltaRequest {
    v1::GetMetadataDeltaRequest {
        base_snapshot_id: base.to_owned(),
        target_snapshot_id: target.to_owned(),
        ..v1::GetMetadataDeltaRequest::default()
    }
}

pub fn group(name: &str, sources: &[&str]) -> v1::CreateVolumeGroupSnapshotRequest {
    v1::CreateVolumeGroupSnapshotRequest {
        name: name.to_owned(),
        source_volume_ids: sources.iter().map(|&id| id.to_owned()).collect(),
        ..v1::CreateVolumeGroupSnapshotRequest::default()
    }
}

pub fn get_group(id: &str, members: &[String]) -> v1::GetVolumeGroupSnapshotRequest {
    v1::GetVolumeGroupSnapshotRequest {
        group_snapshot_id: id.to_owned(),
        snapshot_ids: members.to_vec(),
        ..v1::GetVolumeGroupSnapshotRequest::default()
    }
}

pub fn delete_group(id: &str, members: &[String]) -> v1::DeleteVolumeGroupSnapshotRequest {
    v1::DeleteVolumeGroupSnapshotRequest {
        group_snapshot_id: id.to_owned(),
        snapshot_ids: members.to_vec(),
        ..v1::DeleteVolumeGroupSnapshotRequest::default()
    }
}

pub fn attach(volume_id: &str, node_id: &str) -> v1::ControllerPublishVolumeRequest {
    v1::ControllerPublishVolumeRequest {
        volume_id: volume_id.to_owned(),
        node_id: node_id.to_owned(),
        volume_capability: Some(mount()),
        ..v1::ControllerPublishVolumeRequest::default()
    }
}

pub fn detach(volume_id: &str, node_id: &str) -> v1::ControllerUnpublishVolumeRequest {
    v1::ControllerUnpublishVolumeRequest {
        volume_id: volume_id.to_owned(),
        node_id: node_id.to_owned(),
        ..v1::ControllerUnpublishVolumeRequest::default()
    }
}

pub fn expand(volume_id: &str, required: i64) -> v1::ControllerExpandVolumeRequest {
    v1::ControllerExpandVolumeRequest {
        volume_id: volume_id.to_owned(),
        capacity_range: at_least(required),
        ..v1::ControllerExpandVolumeRequest::default()
    }
}

/// Returns the map with these pairs.
pub fn pairs(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

pub fn modify(volume_id: &str, parameters: &[(&str, &str)]) -> v1::ControllerModifyVolumeRequest {
    v1::ControllerModifyVolumeRequest {
        volume_id: volume_id.to_owned(),
        mutable_parameters: pairs(parameters),
        ..v1::ControllerModifyVolumeRequest::default()
    }
}

pub fn stage(volume_id: &str, staging: &str) -> v1::NodeStageVolumeRequest {
    v1::NodeStageVolumeRequest {
        volume_id: volume_id.to_owned(),
        staging_target_path: staging.to_owned(),
        volume_capability: Some(mount()),
        ..v1::NodeStageVolumeRequest::default()
    }
}

pub fn unstage(volume_id: &str, staging: &str) -> v1::NodeUnstageVolumeRequest {
    v1::NodeUnstageVolumeRequest {
        volume_id: volume_id.to_owned(),
        staging_target_path: staging.to_owned(),
    }
}

pub fn publish(volume_id: &str, staging: &str, target: &str) -> v1::NodePublishVolumeRequest {
    v1::NodePublishVolumeRequest {
        volume_id: volume_id.to_owned(),
        staging_target_path: staging.to_owned(),
        target_path: target.to_owned(),
        volume_capability: Some(mount()),
        ..v1::NodePublishVolumeRequest::default()
    }
}

pub fn unpublish(volume_id: &str, target: &str) -> v1::NodeUnpublishVolumeRequest {
    v1::NodeUnpublishVolumeRequest {
        volume_id: volume_id.to_owned(),
        target_path: target.to_owned(),
    }
}

pub fn stats(volume_id: &str, path: &str) -> v1::NodeGetVolumeStatsRequest {
    v1::NodeGetVolumeStatsRequest {
        volume_id: volume_id.to_owned(),
        volume_path: path.to_owned(),
        ..v1::NodeGetVolumeStatsRequest::default()
    }
}

pub fn node_expand(volume_id: &str, path: &str) -> v1::NodeExpandVolumeRequest {
    v1::NodeExpandVolumeRequest {
        volume_id: volume_id.to_owned(),
        volume_path: path.to_owned(),
        ..v1::NodeExpandVolumeRequest::default()
    }
}
