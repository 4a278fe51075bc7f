//! Each role of inline volumes has a socket, a name and abilities of its own, and kubelet hears of each.

use std::collections::BTreeSet;
use std::fs;

use orlop::csi::registration::InfoRequest;
use orlop::csi::registration::registration_client::RegistrationClient;
use orlop::csi::v1::identity_client::IdentityClient;
use orlop::csi::v1::node_client::NodeClient;
use orlop::csi::v1::node_service_capability::Type;
use orlop::csi::v1::node_service_capability::rpc::Type as Rpc;
use orlop::csi::v1::{
    GetPluginCapabilitiesRequest, GetPluginInfoRequest, NodeGetCapabilitiesRequest,
    NodeGetInfoRequest, NodeStageVolumeRequest,
};
use tonic::Code;

use super::program::Room;
use crate::driver::connect;

#[tokio::test]
async fn each_role_has_its_own_socket_name_and_abilities() {
    let room = Room::new();
    fs::create_dir(room.path("plugins_registry")).unwrap();
    let config = fs::read_to_string(room.config()).unwrap();
    let socket = |role: &str| room.path(&format!("{role}.sock"));
    let more = format!(
        "registration: on\nkubeletRoot: {}\nroles:\n  scratch: {{endpoint: {}}}\n  hostpath: {{enabled: true, endpoint: {}}}\n",
        room.path("").display(),
        socket("scratch").display(),
        socket("hostpath").display(),
    );
    room.write_config(&format!("{config}{more}"));
    let driver = room.start(&[]);

    let of_scratch = [Rpc::SingleNodeMultiWriter, Rpc::GetVolumeStats, Rpc::VolumeMountGroup];
    for (role, abilities) in [("scratch", &of_scratch[..]), ("hostpath", &of_scratch[..1])] {
        let name = format!("{role}.csi.orlop.dev");
        let registry = room.path(&format!("plugins_registry/{name}-reg.sock"));
        let mut registration = RegistrationClient::new(connect(registry).await);
        let info = registration.get_info(InfoRequest {}).await.unwrap().into_inner();
        assert_eq!((info.name, info.endpoint), (name.clone(), socket(role).display().to_string()));

        let channel = connect(socket(role)).await;
        let mut identity = IdentityClient::new(channel.clone());
        let info = identity.get_plugin_info(GetPluginInfoRequest {}).await.unwrap().into_inner();
        assert_eq!((info.name, &*info.vendor_version), (name, env!("CARGO_PKG_VERSION")));
        let request = GetPluginCapabilitiesRequest {};
        let plugin = identity.get_plugin_capabilities(request).await.unwrap().into_inner();
        assert!(plugin.capabilities.is_empty(), "no sidecar has anything to do with it");

        let mut node = NodeClient::new(channel);
        let request = NodeGetCapabilitiesRequest {};
        let found = node.node_get_capabilities(request).await.unwrap().into_inner().capabilities;
        let found: BTreeSet<i32> = found
            .into_iter()
            .map(|one| match one.r#type.unwrap() {
                Type::Rpc(rpc) => rpc.r#type,
            })
            .collect();
        assert_eq!(found, abilities.iter().map(|one| i32::from(*one)).collect());
        let info = node.node_get_info(NodeGetInfoRequest {}).await.unwrap().into_inner();
        assert!(!info.node_id.is_empty() && info.accessible_topology.is_none());
        let staged = node.node_stage_volume(NodeStageVolumeRequest::default()).await;
        assert_eq!(staged.unwrap_err().code(), Code::Unimplemented);
    }
    assert_eq!(driver.stop().code, Some(0));
    for role in ["scratch", "hostpath"] {
        assert!(!socket(role).exists(), "{role}");
    }
}
