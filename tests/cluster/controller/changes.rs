//! A volume that is there changes: it grows, is limited otherwise, and is attached.

use std::collections::HashMap;

use orlop::csi::v1;
use serde_json::json;
use tonic::Code;

use super::stage::{GIB, Stage, refused, within};
use crate::requests;
use crate::rig;

fn expand(id: &str, bytes: i64) -> v1::ControllerExpandVolumeRequest {
    v1::ControllerExpandVolumeRequest {
        volume_id: id.to_owned(),
        capacity_range: requests::at_least(bytes),
        ..v1::ControllerExpandVolumeRequest::default()
    }
}

fn modify(id: &str, limits: &[(&str, &str)]) -> v1::ControllerModifyVolumeRequest {
    let limits = limits.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    v1::ControllerModifyVolumeRequest {
        volume_id: id.to_owned(),
        mutable_parameters: limits.collect::<HashMap<_, _>>(),
        ..v1::ControllerModifyVolumeRequest::default()
    }
}

/// > A volume that cannot grow is wished to be as large as it is before that is told, so that a smaller wish can follow.
#[test]
fn a_volume_grows_and_a_refused_growth_is_taken_back() {
    rig::shared(async |rig| {
        let stage = Stage::new(&rig, "grow").await;
        let node = stage.node(1, 10).await;
        let player = stage.play(&node);
        let id = stage.volume("a").await;
        let mut controller = stage.controller.clone();
        let grown = controller.controller_expand_volume(expand(&id, 2 * GIB)).await.unwrap();
        assert_eq!(grown.into_inner().capacity_bytes, 2 * GIB);
        drop(player);

        let grow = controller.controller_expand_volume(expand(&id, 20 * GIB));
        let (answer, ()) = tokio::join!(grow, async {
            let wished = async || {
                let object = stage.get("volumes", &id).await.unwrap();
                (object["spec"]["bytes"] == json!(20 * GIB)).then_some(())
            };
            rig.until("it is wished to grow", wished).await;
            stage.refuse("volumes", &id, "Ready", "exhausted", "the pool has no room").await;
        });
        assert_eq!(refused(answer), (Code::OutOfRange, "the pool has no room".to_owned()));
        let object = stage.get("volumes", &id).await.unwrap();
        assert_eq!(object["spec"]["bytes"], json!(2 * GIB));

        // Somebody who does not answer is waited for, and the wish stays.
        let silent = controller.controller_expand_volume(within(1, expand(&id, 3 * GIB))).await;
        assert_eq!(refused(silent).0, Code::Aborted);
        rig.node_is_ready(&node, false).await;
        let away = controller.controller_expand_volume(within(30, expand(&id, 3 * GIB))).await;
        let (code, message) = refused(away);
        assert_eq!(code, Code::Unavailable);
        assert!(
            message.contains(&format!("node {node} cannot be reached: it is not ready")),
            "{message}"
        );
        let _player = stage.play(&node);
        controller.controller_expand_volume(expand(&id, 3 * GIB)).await.unwrap();
    });
}

#[test]
fn limits_replace_each_other() {
    rig::shared(async |rig| {
        let stage = Stage::new(&rig, "limit").await;
        let node = stage.node(1, 10).await;
        let _player = stage.play(&node);
        let id = stage.volume("a").await;
        let mut controller = stage.controller.clone();
        for (limits, expected) in [
            (
                &[("readIOPS", "100"), ("writeIOPS", "200")][..],
                json!({ "readIOPS": 100, "writeIOPS": 200 }),
            ),
            (&[("readIOPS", "0")], json!({ "writeIOPS": 200 })),
            (&[("writeIOPS", "0")], json!({})),
        ] {
            controller.controller_modify_volume(modify(&id, limits)).await.unwrap();
            let object = stage.get("volumes", &id).await.unwrap();
            let has = object["spec"]["limits"].as_object().cloned().unwrap_or_default();
            assert_eq!(json!(has), expected);
        }
    });
}

/// > A volume is attached to its own node alone: another node is FAILED_PRECONDITION, and one that does not exist NOT_FOUND.
#[test]
fn a_volume_is_attached_to_its_own_node_alone() {
    rig::shared(async |rig| {
        rig.with_orlop().await;
        let settings = json!({ "attach": "on" });
        let stage = Stage::with(&rig, "fence", "fence", settings).await;
        let (node, other) = (stage.node(1, 10).await, "fence-other");
        rig.node(other).await;
        let _player = stage.play(&node);
        let id = stage.volume("a").await;
        let mut controller = stage.controller.clone();
        let attach = requests::attach(&id, other);
        let (code, message) = refused(controller.controller_publish_volume(attach).await);
        assert_eq!(code, Code::FailedPrecondition, "{message}");
        assert!(message.contains(&format!("volume {id} is on node {node}")), "{message}");
        let attach = requests::attach(&id, "fence-none");
        assert_eq!(refused(controller.controller_publish_volume(attach).await).0, Code::NotFound);
        controller.controller_publish_volume(requests::attach(&id, &node)).await.unwrap();
    });
}
