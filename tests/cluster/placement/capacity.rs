//! What the controller says that nodes can still give.

use futures_util::future::join_all;
use serde_json::json;
use tonic::Code;

use crate::controller::stage::{GIB, Stage, within};
use crate::node::site::Site;
use crate::rig::{self, Event};

/// > GetCapacity has taken off what was just promised, and a node that is not ready has no room, because what is told
/// > once may be promised once: calls at the same time do not all choose the same room.
#[test]
fn room_is_told_and_given_once() {
    rig::shared(async |rig| {
        let stage = Stage::new(&rig, "once").await;
        let mut nodes = Vec::new();
        for (number, gib) in [(1, 4), (2, 6)] {
            let node = format!("once-{number}");
            let pool = json!({ "name": "once", "kind": "memory", "size": format!("{gib}Gi") });
            nodes.push(Site::with(&rig, &node, pool).await.start().await);
            stage.until_room(&node, gib * GIB).await;
        }
        let mark = rig.audit().now();
        let create = async |number: usize| {
            let request = stage.create(&number.to_string());
            stage.controller.clone().create_volume(request).await
        };
        let (made, refused): (Vec<_>, Vec<_>) =
            join_all((0..30).map(create)).await.into_iter().partition(Result::is_ok);
        assert_eq!((made.len(), refused.len()), (10, 20));
        for refused in refused {
            let status = refused.unwrap_err();
            assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
        }
        // None was wished for in vain: whoever was refused was so before anything was written.
        let own = "authentication.kubernetes.io/pod-name";
        let by_this = |one: &Event| {
            one.user.extra.get(own).is_some_and(|of| of == &["orlop-controller-once"])
        };
        let wishes = rig.audit().since(mark).into_iter().filter(by_this);
        let wishes = wishes.filter(|one| one.verb == "create" && one.is_about("volumes"));
        assert_eq!(wishes.count(), 10);

        // A wish that its node does not even see takes its room as well.
        let node = stage.node(3, 10).await;
        let mut controller = stage.controller.clone();
        let create = controller.create_volume(within(5, stage.create("unseen")));
        let (unseen, ()) = tokio::join!(create, async {
            stage.wished("volumes", &node).await;
            stage.until_room(&node, 9 * GIB).await;
            rig.node_is_ready(&node, false).await;
            stage.until_room(&node, 0).await;
        });
        assert_eq!(unseen.unwrap_err().code(), Code::ResourceExhausted);
        rig.node_is_ready(&node, true).await;
        stage.until_room(&node, 10 * GIB).await;
    });
}
