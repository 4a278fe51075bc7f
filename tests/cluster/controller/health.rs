//! What the controller tells of volumes, nodes and itself.

use std::io::{Read, Write};
use std::net::TcpStream;

use orlop::csi::v1;
use serde_json::json;

use super::stage::{GIB, OTHER_UUID, Stage};
use crate::rig::{self, Relay};

/// > A volume whose node is not ready is INACCESSIBLE, and one whose node is gone or made anew is DATA_LOSS, as long as that is so.
#[test]
fn a_volume_is_as_well_as_its_node() {
    rig::shared(async |rig| {
        let stage = Stage::new(&rig, "ill").await;
        let node = stage.node(1, 10).await;
        let _player = stage.play(&node);
        let id = stage.volume("a").await;
        let until = async |expected: &[&str]| {
            let get = v1::ControllerGetVolumeHealthRequest {
                volume_id: id.clone(),
                ..v1::ControllerGetVolumeHealthRequest::default()
            };
            let same = async || {
                let told = stage.controller.clone().controller_get_volume_health(get.clone()).await;
                let told = told.unwrap().into_inner().volume_health.unwrap().health_statuses;
                (told.iter().map(|one| &*one.reason).eq(expected.iter().copied())).then_some(())
            };
            rig.until("the health is told", same).await;
            let list = v1::ControllerListVolumeHealthRequest::default();
            let listed = stage.controller.clone().controller_list_volume_health(list).await;
            let listed = listed.unwrap().into_inner().entries;
            assert_eq!(listed.iter().any(|one| one.volume_id == id), !expected.is_empty());
        };
        until(&[]).await;
        rig.node_is_ready(&node, false).await;
        until(&["NodeNotReady"]).await;
        rig.node_is_ready(&node, true).await;
        until(&[]).await;
        let pool = stage.pool_of(&node);
        stage.tell("pools", &pool, json!({ "uuid": OTHER_UUID })).await;
        until(&["NodeLost"]).await;
        stage.until_room(&node, 10 * GIB).await;
        stage.tell("pools", &pool, json!({ "uuid": super::stage::UUID })).await;
        until(&[]).await;
        stage.until_room(&node, 9 * GIB).await;
        rig.api.delete(&format!("/api/v1/nodes/{node}")).await.unwrap();
        until(&["NodeLost"]).await;
    });
}

/// > `/healthz` is green while the controller runs, whether or not there is an API server; until it knows what there is, `/readyz`
/// > is not, and nobody is served.
#[test]
fn a_controller_without_an_api_server_lives_and_is_not_ready() {
    rig::shared(async |rig| {
        rig.with_orlop().await;
        let relay = Relay::start();
        relay.shut();
        let identity = rig.orlop_controller("lonely").await;
        let kubeconfig = rig.kubeconfig_through(&relay, &identity);
        let settings = json!({
            "cluster": { "kubeconfig": kubeconfig }, "metrics": { "address": "127.0.0.1:9791" },
        });
        let driver = rig.orlop("controller", "lonely", settings);
        let process = rig.spawn("lonely", driver.command);
        let asked = async || ask("/healthz");
        assert_eq!(rig.until("it answers", asked).await, 200);
        assert_eq!(ask("/readyz"), Some(503));
        assert!(!driver.socket.exists());
        relay.open();
        rig.until_it_listens(&driver.socket).await;
        let is_ready = async || (ask("/readyz") == Some(200)).then_some(());
        rig.until("it is ready", is_ready).await;
        relay.shut();
        assert_eq!(ask("/healthz"), Some(200));
        assert!(process.stop().success());
    });
}

/// Returns the status of the answer.
fn ask(path: &str) -> Option<u16> {
    let mut stream = TcpStream::connect("127.0.0.1:9791").ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1)?.parse().ok()
}
