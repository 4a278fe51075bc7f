//! Kubelet is told of the driver by the driver itself.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use orlop::csi::registration::registration_client::RegistrationClient;
use orlop::csi::registration::{InfoRequest, RegistrationStatus};
use orlop::csi::v1::ProbeRequest;
use orlop::csi::v1::identity_client::IdentityClient;

use super::program::Room;
use crate::driver::connect;

/// A room whose driver is to register itself with the kubelet in this directory of it.
fn room_with_kubelet(dir: &str) -> Room {
    let room = Room::new();
    let config = fs::read_to_string(room.config()).unwrap();
    let more = format!("registration: on\nkubeletRoot: {}\n", room.path(dir).display());
    room.write_config(&format!("{config}{more}"));
    room
}

#[tokio::test]
async fn kubelet_finds_the_driver_and_is_heard() {
    let room = room_with_kubelet("");
    fs::create_dir(room.path("plugins_registry")).unwrap();
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

/// Kubelet takes the path of the socket for the name of the server, which no client made with tonic can.
#[test]
fn a_kubelet_that_calls_the_driver_by_its_path_is_answered() {
    let room = room_with_kubelet("");
    fs::create_dir(room.path("plugins_registry")).unwrap();
    let mut driver = room.start(&[]);
    let file = room.path("plugins_registry/csi.orlop.dev-reg.sock");
    driver.wait_for(&file);

    let name = file.to_str().unwrap().replace('/', "%2F");
    let fields: [(&str, &str); 6] = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/pluginregistration.Registration/GetInfo"),
        (":authority", &name),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    let text = |text: &str| {
        // Seven bits, and behind them what is more than they can hold.
        let length = u8::try_from(text.len()).unwrap();
        let head = if length < 127 { vec![length] } else { vec![127, length - 127] };
        [head, text.as_bytes().to_vec()].concat()
    };
    let block: Vec<u8> = fields
        .iter()
        .flat_map(|(name, value)| [vec![0], text(name), text(value)].concat())
        .collect();
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
    };
    let mut connection = UnixStream::connect(&file).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    connection.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    connection.write_all(&frame(4, 0, 0, &[])).unwrap();
    connection.write_all(&frame(1, 4, 1, &block)).unwrap();
    connection.write_all(&frame(0, 1, 1, &[0; 5])).unwrap();
    let mut answer = Vec::new();
    let mut came = [0; 4096];
    while !String::from_utf8_lossy(&answer).contains("CSIPlugin") {
        let length = connection.read(&mut came).unwrap();
        assert!(length > 0, "{}", String::from_utf8_lossy(&answer));
        answer.extend(&came[..length]);
    }
    drop(connection);
    assert_eq!(driver.stop().code, Some(0));
}

#[test]
fn a_kubelet_that_is_not_there_is_named() {
    let room = room_with_kubelet("none");
    let endpoint = room.socket().display().to_string();
    let config = room.config();
    let args = ["all", "--endpoint", &endpoint, "--config", config.to_str().unwrap()];
    let ended = super::program::Process::start(&args, &[]).end();
    assert_eq!(ended.code, Some(1));
    let registry = room.path("none/plugins_registry");
    let expected = format!("cannot use the directory {} of the socket", registry.display());
    assert!(ended.stderr.contains(&expected), "{}", ended.stderr);
}
