//! Kubelet is told of the driver by the driver itself.

use std::fs;

use orlop::csi::registration::registration_client::RegistrationClient;
use orlop::csi::registration::{InfoRequest, RegistrationStatus};
use orlop::csi::v1::ProbeRequest;
use orlop::csi::v1::identity_client::IdentityClient;

use super::program::Room;
use crate::driver::connect;

#[tokio::test]
async fn kubelet_finds_the_driver_and_is_heard() {
    let room = Room::new();
    fs::create_dir(room.path("plugins_registry")).unwrap();
    let config = fs::read_to_string(room.config()).unwrap();
    let more = format!("registration: on\nkubeletRoot: {}\n", room.path("").display());
    room.write_config(&format!("{config}{more}"));
    let mut driver = room.start(&[]);

    let file = room.path("plugins_registry/csi.orlop.dev-reg.sock");
    driver.wait_for(&file);
    let mut registration = RegistrationClient::new(connect(file.clone()).await);
    let info = registration.get_info(InfoRequest {}).await.unwrap().into_inner();
    assert_eq!((info.r#type.as_str(), info.name.as_str()), ("CSIPlugin", "csi.orlop.dev"));
    assert_eq!(info.supported_versions, ["1.0.0"]);
    // Kubelet asks there at once.
    let mut identity = IdentityClient::new(connect(info.endpoint.into()).await);
    assert_eq!(identity.probe(ProbeRequest {}).await.unwrap().into_inner().ready, Some(true));

    let refused = RegistrationStatus { plugin_registered: false, error: "too old".to_owned() };
    registration.notify_registration_status(refused).await.unwrap();
    drop((registration, identity));
    let ended = driver.stop();
    assert_eq!(ended.code, Some(0));
    assert!(ended.stderr.contains("kubelet refuses the driver: too old"), "{}", ended.stderr);
    assert!(!file.exists(), "kubelet would go on to send it calls");
}

#[test]
fn a_kubelet_that_is_not_there_is_named() {
    let room = Room::new();
    let config = fs::read_to_string(room.config()).unwrap();
    let more = format!("registration: on\nkubeletRoot: {}\n", room.path("none").display());
    room.write_config(&format!("{config}{more}"));
    let endpoint = room.socket().display().to_string();
    let config = room.config();
    let args = ["all", "--endpoint", &endpoint, "--config", config.to_str().unwrap()];
    let ended = super::program::Process::start(&args, &[]).end();
    assert_eq!(ended.code, Some(1));
    let registry = room.path("none/plugins_registry");
    let expected = format!("cannot use the directory {} of the socket", registry.display());
    assert!(ended.stderr.contains(&expected), "{}", ended.stderr);
}
