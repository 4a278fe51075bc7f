//! A volume is wished for and made, wished away and removed; and what happens when a node does not answer.

use tokio::time::Instant;
use tonic::Code;

use super::stage::{GIB, OTHER_UUID, Stage, on, path, refused, within};
use crate::requests;
use crate::rig;
use orlop::csi::v1;
use serde_json::json;
use std::time::Duration;

/// > A create writes three times to the API server, whoever does it, and a delete twice.
#[test]
fn a_volume_is_made_and_removed_with_few_writes() {
    rig::shared(async |rig| {
        let stage = Stage::new(&rig, "few").await;
        let node = stage.node(1, 10).await;
        let _player = stage.play(&node);
        let mut controller = stage.controller.clone();
        let mark = rig.audit().now();
        let made = controller.create_volume(stage.create("a")).await.unwrap().into_inner();
        let volume = made.volume.clone().unwrap();
        assert_eq!(volume.accessible_topology, [on(&node)]);
        assert_eq!(volume.capacity_bytes, GIB);
        assert_eq!(
            rig.written(mark, &volume.volume_id, 3).await,
            ["create", "patch status", "patch status"]
        );

        let again = controller.create_volume(stage.create("a")).await.unwrap().into_inner();
        assert_eq!(again, made);
        let room = controller.get_capacity(stage.segment(&node)).await.unwrap().into_inner();
        assert_eq!(room.available_capacity, 9 * GIB);
        let mut differs = stage.create("a");
        differs.volume_capabilities = vec![requests::block()];
        assert_eq!(refused(controller.create_volume(differs).await).0, Code::AlreadyExists);

        let mark = rig.audit().now();
        controller.delete_volume(requests::delete(&volume.volume_id)).await.unwrap();
        assert_eq!(rig.written(mark, &volume.volume_id, 2).await, ["patch", "delete"]);
        assert_eq!(stage.get("volumes", &volume.volume_id).await, None);
        let mark = rig.audit().now();
        controller.delete_volume(requests::delete(&volume.volume_id)).await.unwrap();
        assert!(stage.writes_since(mark, &volume.volume_id).is_empty());
        stage.until_room(&node, 10 * GIB).await;
    });
}

/// > What a node has begun is "still going on" until it is done, and the repeat of the call waits on for the same.
#[test]
fn a_call_that_cannot_wait_any_longer_is_finished_by_its_repeat() {
    rig::shared(async |rig| {
        let stage = Stage::new(&rig, "slow").await;
        let node = stage.node(1, 10).await;
        let mut controller = stage.controller.clone();
        let create = controller.create_volume(within(2, stage.create("a")));
        let claim = async {
            let id = stage.wished("volumes", &node).await;
            stage.claim("volumes", &id).await;
            id
        };
        let (answer, id) = tokio::join!(create, claim);
        let (code, message) = refused(answer);
        assert_eq!(code, Code::Aborted, "{message}");
        assert!(
            message.contains(&format!("an operation on {id} is still running (for 1 s)")),
            "{message}"
        );

        let get = v1::ControllerGetVolumeRequest { volume_id: id.clone() };
        assert_eq!(refused(controller.controller_get_volume(get).await).0, Code::Aborted);

        let mark = rig.audit().now();
        let mut again = stage.controller.clone();
        let repeat = again.create_volume(within(30, stage.create("a")));
        let make = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            stage.make(&id).await;
        };
        let (answer, ()) = tokio::join!(repeat, make);
        assert_eq!(answer.unwrap().into_inner().volume.unwrap().volume_id, id);
        assert_eq!(stage.writes_since(mark, &id), ["patch status"]);
    });
}

/// > A wish that no node has begun is taken back: after three seconds where the node is not ready, and at the end of the
/// > call where it is. Then it is RESOURCE_EXHAUSTED, and the scheduler looks elsewhere.
#[test]
fn what_no_node_has_begun_is_taken_back() {
    rig::shared(async |rig| {
        let stage = Stage::new(&rig, "unbegun").await;
        let node = stage.node(1, 10).await;
        let mut controller = stage.controller.clone();
        let began = Instant::now();
        let create = controller.create_volume(within(30, stage.create("a")));
        let (answer, id) = tokio::join!(create, async {
            let id = stage.wished("volumes", &node).await;
            rig.node_is_ready(&node, false).await;
            id
        });
        let (code, message) = refused(answer);
        assert_eq!(code, Code::ResourceExhausted, "{message}");
        assert!(message.contains("the node is not ready"), "{message}");
        assert!((3..10).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
        assert_eq!(stage.get("volumes", &id).await, None);

        let (code, message) = refused(controller.create_volume(stage.create("b")).await);
        assert_eq!(code, Code::ResourceExhausted);
        assert!(message.contains(&format!("its node {node} is not ready")), "{message}");

        rig.node_is_ready(&node, true).await;
        stage.until_room(&node, 10 * GIB).await;
        let (code, message) = refused(controller.create_volume(within(2, stage.create("c"))).await);
        assert_eq!(code, Code::ResourceExhausted, "{message}");
        assert!(message.contains("look at the pod of `orlop node` there"), "{message}");
        let left = rig.api.get(&path(&format!("volumes?fieldSelector=spec.node={node}"))).await;
        assert_eq!(left.unwrap()["items"], json!([]));
    });
}

/// > What a node cannot make is told when the wish for it is gone.
#[test]
fn what_cannot_be_made_leaves_no_wish() {
    rig::shared(async |rig| {
        let stage = Stage::new(&rig, "failed").await;
        let node = stage.node(1, 10).await;
        let mut controller = stage.controller.clone();
        let create = controller.create_volume(stage.create("a"));
        let (answer, id) = tokio::join!(create, async {
            let id = stage.wished("volumes", &node).await;
            stage.refuse("volumes", &id, "Failed", "exhausted", "pool failed has no room").await;
            id
        });
        assert_eq!(
            refused(answer),
            (Code::ResourceExhausted, "pool failed has no room".to_owned())
        );
        assert_eq!(stage.get("volumes", &id).await, None);
    });
}

#[test]
fn calls_at_the_same_time_do_not_promise_more_than_there_is() {
    rig::shared(async |rig| {
        let stage = Stage::new(&rig, "parallel").await;
        let nodes = [stage.node(1, 4).await, stage.node(2, 4).await];
        let _players = nodes.each_ref().map(|node| stage.play(node));
        let create = |n: usize| {
            let mut controller = stage.controller.clone();
            let request = within(30, stage.create(&n.to_string()));
            async move { controller.create_volume(request).await }
        };
        let answers = futures_util::future::join_all((0..20).map(create)).await;
        let (made, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert_eq!(made.len(), 8);
        assert!(refused.iter().all(|one| {
            let status = one.as_ref().unwrap_err();
            status.code() == Code::ResourceExhausted && status.message().contains("has no room")
        }));
        for node in &nodes {
            let room = stage.controller.clone().get_capacity(stage.segment(node)).await.unwrap();
            assert_eq!(room.into_inner().available_capacity, 0);
        }
    });
}

/// > A node that finds the volume in use says so, and the wish to remove it is taken back before that is told.
#[test]
fn a_volume_in_use_is_not_removed_later_either() {
    rig::shared(async |rig| {
        let stage = Stage::new(&rig, "used").await;
        let node = stage.node(1, 10).await;
        let player = stage.play(&node);
        let id = stage.volume("a").await;
        drop(player);
        let mut controller = stage.controller.clone();
        let delete = controller.delete_volume(requests::delete(&id));
        let (answer, ()) = tokio::join!(delete, async {
            let wished = async || {
                let object = stage.get("volumes", &id).await.unwrap();
                (object["spec"]["delete"] == true).then_some(())
            };
            rig.until("its removal is wished", wished).await;
            stage.refuse("volumes", &id, "Ready", "inUse", "volume is in use: mounted").await;
        });
        assert_eq!(
            refused(answer),
            (Code::FailedPrecondition, "volume is in use: mounted".to_owned())
        );
        assert_eq!(stage.get("volumes", &id).await.unwrap()["spec"]["delete"], json!(false));
    });
}

/// > While a node is away, a delete is answered when the wish is stored, and the node catches up. When the node is gone from
/// > the cluster, or has been made anew under its name, the object goes at once.
#[test]
fn what_is_on_a_node_that_is_away_or_lost_can_be_deleted() {
    rig::shared(async |rig| {
        let stage = Stage::new(&rig, "away").await;
        let (away, gone, anew) =
            (stage.node(1, 1).await, stage.node(2, 1).await, stage.node(3, 1).await);
        let nodes = [&away, &gone, &anew];
        let players = nodes.map(|node| stage.play(node));
        let mut ids = Vec::new();
        for name in ["a", "b", "c"] {
            ids.push(stage.volume(name).await);
        }
        drop(players);
        let mut found = Vec::new();
        for id in &ids {
            let object = stage.get("volumes", id).await.unwrap();
            found.push((object["spec"]["node"].as_str().unwrap().to_owned(), id));
        }
        let of = |node: &str| found.iter().find(|(its, _)| its == node).unwrap().1.clone();
        rig.node_is_ready(&away, false).await;
        rig.api.delete(&format!("/api/v1/nodes/{gone}")).await.unwrap();
        stage.tell("pools", &stage.pool_of(&anew), json!({ "uuid": OTHER_UUID })).await;
        stage.until_room(&anew, GIB).await;
        stage.until_room(&away, 0).await;
        let mut controller = stage.controller.clone();
        for node in nodes {
            controller.delete_volume(requests::delete(&of(node))).await.unwrap();
        }
        assert_eq!(stage.get("volumes", &of(&away)).await.unwrap()["spec"]["delete"], true);
        assert_eq!(stage.get("volumes", &of(&gone)).await, None);
        assert_eq!(stage.get("volumes", &of(&anew)).await, None);
        // It is the answer to no create any more.
        let mut create = stage.create("x");
        create.name = stage.get("volumes", &of(&away)).await.unwrap()["spec"]["name"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(refused(controller.create_volume(within(1, create)).await).0, Code::Aborted);
    });
}

/// > Two controllers can answer at once.
#[test]
fn what_one_controller_has_made_the_other_knows() {
    rig::shared(async |rig| {
        let stage = Stage::new(&rig, "two").await;
        let node = stage.node(1, 10).await;
        let _player = stage.play(&node);
        let other = Stage::another(&rig, "two", "two-other").await;
        for n in 0..20 {
            let name = n.to_string();
            let (one, two) = tokio::join!(stage.volume(&name), other.volume(&name));
            assert_eq!(one, two);
            let get = v1::ControllerGetVolumeRequest { volume_id: one.clone() };
            other.controller.clone().controller_get_volume(get.clone()).await.unwrap();
            stage.controller.clone().delete_volume(requests::delete(&one)).await.unwrap();
            other.controller.clone().delete_volume(requests::delete(&one)).await.unwrap();
        }
    });
}

/// > Without an API server every call that needs it is UNAVAILABLE, and lists show what was known.
#[test]
fn without_an_api_server_nothing_is_said_to_be_done() {
    rig::alone(async |rig| {
        let stage = Stage::new(&rig, "cut").await;
        let node = stage.node(1, 10).await;
        let player = stage.play(&node);
        let id = stage.volume("a").await;
        drop(player);
        rig.cluster.kill_api_server();
        let mut controller = stage.controller.clone();
        let (code, message) = refused(controller.create_volume(stage.create("b")).await);
        assert_eq!(code, Code::Unavailable, "{message}");
        assert!(message.contains("the API server cannot be reached"), "{message}");
        let gone = controller.delete_volume(requests::delete(&id)).await;
        assert_eq!(refused(gone).0, Code::Unavailable);
        let unknown = "v-00000000000000000000000000000000";
        let gone = controller.delete_volume(requests::delete(unknown)).await;
        assert_eq!(refused(gone).0, Code::Unavailable);
        let all = controller.list_volumes(v1::ListVolumesRequest::default()).await.unwrap();
        assert_eq!(all.into_inner().entries.len(), 1);

        rig.cluster.start_api_server();
        rig.until_it_is_ready().await;
        let _player = stage.play(&node);
        stage.volume("b").await;
        controller.delete_volume(requests::delete(&id)).await.unwrap();
    });
}
