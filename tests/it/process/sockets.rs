//! The CSI socket and the admin socket of a running driver.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use orlop::csi::v1;
use orlop::csi::v1::identity_client::IdentityClient;

use super::program::{Process, Room};
use crate::driver::connect;

/// > The sockets can be used by their owner alone from the moment they exist.
#[tokio::test]
async fn both_sockets_are_private_and_nothing_lies_beside_them() {
    let room = Room::new();
    let driver = room.start(&[]);
    for socket in [room.socket(), room.path("state/admin.sock")] {
        assert_eq!(
            fs::metadata(&socket).unwrap().permissions().mode() & 0o777,
            0o600,
            "{}",
            socket.display()
        );
    }
    assert_eq!(fs::metadata(room.path("state")).unwrap().permissions().mode() & 0o777, 0o700);
    let mut names: Vec<_> =
        fs::read_dir(room.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["csi.sock", "orlop.yaml", "state"]);

    let mut identity = IdentityClient::new(connect(room.socket()).await);
    let probe = identity.probe(v1::ProbeRequest {}).await.unwrap().into_inner();
    assert_eq!(probe.ready, Some(true));
    drop(identity);
    assert_eq!(driver.stop().code, Some(0));
    assert!(!room.socket().exists() && !room.path("state/admin.sock").exists());
}

#[test]
fn what_a_killed_driver_left_is_replaced_and_a_live_one_is_refused() {
    let room = Room::new();
    let killed = room.start(&[]);
    killed.signal(nix::sys::signal::Signal::SIGKILL);
    assert_eq!(killed.end().code, None);
    assert!(room.socket().exists());

    let driver = room.start(&[]);
    let endpoint = room.socket().display().to_string();
    let second = Process::start(
        &["node", "--endpoint", &endpoint, "--config", room.config().to_str().unwrap()],
        &[],
    );
    let second = second.end();
    assert_eq!(second.code, Some(1), "{}", second.stderr);
    let expected = format!(
        "orlop: process {} already listens on {endpoint}: stop it or choose another endpoint\n",
        driver.id()
    );
    assert_eq!(second.stderr, expected);
    // The first one was not disturbed.
    drop(std::os::unix::net::UnixStream::connect(room.socket()).unwrap());
    assert_eq!(driver.stop().code, Some(0));
}

#[tokio::test]
async fn each_mode_serves_its_services() {
    for (mode, controller, node) in
        [("all", true, true), ("controller", true, false), ("node", false, true)]
    {
        let room = Room::new();
        // The two forms of an endpoint that are not in the other tests, by flag and by variable.
        let by_variable = format!("unix:{}", room.socket().display());
        let config = room.config().display().to_string();
        let variables =
            [("CSI_ENDPOINT", by_variable.as_str()), ("ORLOP_CONFIG", &config), ("NODE_ID", "n9")];
        let mut driver = Process::start(&[mode], &variables);
        driver.wait_for(&room.path("state/admin.sock"));

        let channel = connect(room.socket()).await;
        let request = v1::ControllerGetCapabilitiesRequest {};
        let answer = v1::controller_client::ControllerClient::new(channel.clone())
            .controller_get_capabilities(request)
            .await;
        assert_eq!(answer.is_ok(), controller, "{mode}");
        let info = v1::node_client::NodeClient::new(channel)
            .node_get_info(v1::NodeGetInfoRequest {})
            .await;
        assert_eq!(
            info.ok().map(|info| info.into_inner().node_id),
            node.then(|| "n9".to_owned()),
            "{mode}"
        );
        assert_eq!(driver.stop().code, Some(0), "{mode}");
    }
}
