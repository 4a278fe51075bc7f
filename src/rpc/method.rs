//! The RPCs of CSI 1.13 by name: what the code table and the log lines speak of.

use std::fmt;

/// An RPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// `csi.v1.Identity/GetPluginInfo`
    GetPluginInfo,
    /// `csi.v1.Identity/GetPluginCapabilities`
    GetPluginCapabilities,
    /// `csi.v1.Identity/Probe`
    Probe,
    /// `csi.v1.Controller/CreateVolume`
    CreateVolume,
    /// `csi.v1.Controller/DeleteVolume`
    DeleteVolume,
    /// `csi.v1.Controller/ControllerPublishVolume`
    ControllerPublishVolume,
    /// `csi.v1.Controller/ControllerUnpublishVolume`
    ControllerUnpublishVolume,
    /// `csi.v1.Controller/ValidateVolumeCapabilities`
    ValidateVolumeCapabilities,
    /// `csi.v1.Controller/ListVolumes`
    ListVolumes,
    /// `csi.v1.Controller/ControllerListVolumeHealth`
    ControllerListVolumeHealth,
    /// `csi.v1.Controller/ControllerGetVolumeHealth`
    ControllerGetVolumeHealth,
    /// `csi.v1.Controller/GetCapacity`
    GetCapacity,
    /// `csi.v1.Controller/ControllerGetCapabilities`
    ControllerGetCapabilities,
    /// `csi.v1.Controller/CreateSnapshot`
    CreateSnapshot,
    /// `csi.v1.Controller/DeleteSnapshot`
    DeleteSnapshot,
    /// `csi.v1.Controller/ListSnapshots`
    ListSnapshots,
    /// `csi.v1.Controller/GetSnapshot`
    GetSnapshot,
    /// `csi.v1.Controller/ControllerExpandVolume`
    ControllerExpandVolume,
    /// `csi.v1.Controller/ControllerGetVolume`
    ControllerGetVolume,
    /// `csi.v1.Controller/ControllerModifyVolume`
    ControllerModifyVolume,
    /// `csi.v1.GroupController/GroupControllerGetCapabilities`
    GroupControllerGetCapabilities,
    /// `csi.v1.GroupController/CreateVolumeGroupSnapshot`
    CreateVolumeGroupSnapshot,
    /// `csi.v1.GroupController/DeleteVolumeGroupSnapshot`
    DeleteVolumeGroupSnapshot,
    /// `csi.v1.GroupController/GetVolumeGroupSnapshot`
    GetVolumeGroupSnapshot,
    /// `csi.v1.SnapshotMetadata/GetMetadataAllocated`
    GetMetadataAllocated,
    /// `csi.v1.SnapshotMetadata/GetMetadataDelta`
    GetMetadataDelta,
    /// `csi.v1.Node/NodeStageVolume`
    NodeStageVolume,
    /// `csi.v1.Node/NodeUnstageVolume`
    NodeUnstageVolume,
    /// `csi.v1.Node/NodePublishVolume`
    NodePublishVolume,
    /// `csi.v1.Node/NodeUnpublishVolume`
    NodeUnpublishVolume,
    /// `csi.v1.Node/NodeGetVolumeStats`
    NodeGetVolumeStats,
    /// `csi.v1.Node/NodeGetVolumeHealth`
    NodeGetVolumeHealth,
    /// `csi.v1.Node/NodeGetStorageHealth`
    NodeGetStorageHealth,
    /// `csi.v1.Node/NodeExpandVolume`
    NodeExpandVolume,
    /// `csi.v1.Node/NodeGetCapabilities`
    NodeGetCapabilities,
    /// `csi.v1.Node/NodeGetInfo`
    NodeGetInfo,
    /// One of the driver's own admin calls, or one that CSI 1.13 does not know.
    Other,
}

/// Every RPC of the interface with its service.
const NAMES: &[(&str, &str, Method)] = &[
    ("Identity", "GetPluginInfo", Method::GetPluginInfo),
    ("Identity", "GetPluginCapabilities", Method::GetPluginCapabilities),
    ("Identity", "Probe", Method::Probe),
    ("Controller", "CreateVolume", Method::CreateVolume),
    ("Controller", "DeleteVolume", Method::DeleteVolume),
    ("Controller", "ControllerPublishVolume", Method::ControllerPublishVolume),
    ("Controller", "ControllerUnpublishVolume", Method::ControllerUnpublishVolume),
    ("Controller", "ValidateVolumeCapabilities", Method::ValidateVolumeCapabilities),
    ("Controller", "ListVolumes", Method::ListVolumes),
    ("Controller", "ControllerListVolumeHealth", Method::ControllerListVolumeHealth),
    ("Controller", "ControllerGetVolumeHealth", Method::ControllerGetVolumeHealth),
    ("Controller", "GetCapacity", Method::GetCapacity),
    ("Controller", "ControllerGetCapabilities", Method::ControllerGetCapabilities),
    ("Controller", "CreateSnapshot", Method::CreateSnapshot),
    ("Controller", "DeleteSnapshot", Method::DeleteSnapshot),
    ("Controller", "ListSnapshots", Method::ListSnapshots),
    ("Controller", "GetSnapshot", Method::GetSnapshot),
    ("Controller", "ControllerExpandVolume", Method::ControllerExpandVolume),
    ("Controller", "ControllerGetVolume", Method::ControllerGetVolume),
    ("Controller", "ControllerModifyVolume", Method::ControllerModifyVolume),
    ("GroupController", "GroupControllerGetCapabilities", Method::GroupControllerGetCapabilities),
    ("GroupController", "CreateVolumeGroupSnapshot", Method::CreateVolumeGroupSnapshot),
    ("GroupController", "DeleteVolumeGroupSnapshot", Method::DeleteVolumeGroupSnapshot),
    ("GroupController", "GetVolumeGroupSnapshot", Method::GetVolumeGroupSnapshot),
    ("SnapshotMetadata", "GetMetadataAllocated", Method::GetMetadataAllocated),
    ("SnapshotMetadata", "GetMetadataDelta", Method::GetMetadataDelta),
    ("Node", "NodeStageVolume", Method::NodeStageVolume),
    ("Node", "NodeUnstageVolume", Method::NodeUnstageVolume),
    ("Node", "NodePublishVolume", Method::NodePublishVolume),
    ("Node", "NodeUnpublishVolume", Method::NodeUnpublishVolume),
    ("Node", "NodeGetVolumeStats", Method::NodeGetVolumeStats),
    ("Node", "NodeGetVolumeHealth", Method::NodeGetVolumeHealth),
    ("Node", "NodeGetStorageHealth", Method::NodeGetStorageHealth),
    ("Node", "NodeExpandVolume", Method::NodeExpandVolume),
    ("Node", "NodeGetCapabilities", Method::NodeGetCapabilities),
    ("Node", "NodeGetInfo", Method::NodeGetInfo),
];

// === impl Method ===

impl Method {
    /// Returns the method of an HTTP path such as `/csi.v1.Controller/CreateVolume`.
    pub fn of_path(path: &str) -> Self {
        let Some((service, name)) = path.rsplit_once('/') else { return Self::Other };
        let known = NAMES.iter().find(|(of, its, _)| {
            *its == name && service.strip_prefix("/csi.v1.").is_some_and(|service| service == *of)
        });
        known.map_or(Self::Other, |(_, _, method)| *method)
    }

    /// Returns whether the RPC is answered with a stream of messages.
    pub fn streams(self) -> bool {
        matches!(self, Self::GetMetadataAllocated | Self::GetMetadataDelta)
    }

    /// Returns whether the RPC changes something when it succeeds: such calls are logged at INFO.
    pub fn changes(self) -> bool {
        matches!(
            self,
            Self::CreateVolume
                | Self::DeleteVolume
                | Self::ControllerPublishVolume
                | Self::ControllerUnpublishVolume
                | Self::CreateSnapshot
                | Self::DeleteSnapshot
                | Self::ControllerExpandVolume
                | Self::ControllerModifyVolume
                | Self::CreateVolumeGroupSnapshot
                | Self::DeleteVolumeGroupSnapshot
                | Self::NodeStageVolume
                | Self::NodeUnstageVolume
                | Self::NodePublishVolume
                | Self::NodeUnpublishVolume
                | Self::NodeExpandVolume
        )
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_its_method_and_a_foreign_one_none() {
        for (service, name, method) in NAMES {
            assert_eq!(Method::of_path(&format!("/csi.v1.{service}/{name}")), *method);
            assert_eq!(method.to_string(), *name);
        }
        for path in ["", "/", "/csi.v1.Node/CreateVolume", "/csi.v0.Identity/Probe", "CreateVolume"]
        {
            assert_eq!(Method::of_path(path), Method::Other, "{path}");
        }
    }
}
