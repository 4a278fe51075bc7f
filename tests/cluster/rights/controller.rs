//! What the controller may do, and what it may not.

use serde_json::json;

use super::things::{WISHES, list, made, path, pool, status, thing, wished_away};
use crate::rig;

#[test]
fn the_controller_writes_wishes_and_no_status() {
    rig::shared(async |rig| {
        rig.with_orlop().await;
        // What is wished away on a node that there is not goes by itself.
        rig.node("written-for").await;
        let controller = rig.orlop_controller("writes").await;
        let controller = rig.api_of(&controller).await;
        for kind in WISHES {
            let name = format!("wish-for-{kind}");
            let object =
                controller.post(&list(kind), &thing(kind, &name, "written-for")).await.unwrap();
            let path = path(kind, &object);
            controller.get(&path).await.unwrap();
            controller.get(&list(kind)).await.unwrap();
            drop(controller.watch(&list(kind)).await.unwrap());
            let told = controller.patch(&format!("{path}/status"), &status("Ready")).await;
            let refused = told.unwrap_err();
            let why = format!("cannot patch resource \"{kind}/status\"");
            assert_eq!(refused.code, 403);
            assert!(refused.message.contains(&why), "{}", refused.message);
            controller.patch(&path, &wished_away()).await.unwrap();
            controller.delete(&path).await.unwrap();
        }
    });
}

#[test]
fn the_controller_reads_pools_and_nodes_and_changes_none() {
    rig::shared(async |rig| {
        rig.with_orlop().await;
        rig.node("read").await;
        let pools = list("pools");
        let one = rig.api.post(&pools, &pool("read", "fast")).await.unwrap();
        let controller = rig.orlop_controller("reads").await;
        let controller = rig.api_of(&controller).await;
        for readable in [&*pools, "/api/v1/nodes"] {
            controller.get(readable).await.unwrap();
            drop(controller.watch(readable).await.unwrap());
        }
        let one = path("pools", &one);
        let cordoned = json!({ "spec": { "cordoned": true } });
        for refused in [
            controller.post(&pools, &pool("read", "other")).await.unwrap_err(),
            controller.patch(&one, &cordoned).await.unwrap_err(),
            controller.patch(&format!("{one}/status"), &json!({ "status": {} })).await.unwrap_err(),
            controller.delete(&one).await.unwrap_err(),
            controller.patch("/api/v1/nodes/read", &json!({})).await.unwrap_err(),
            controller.get("/api/v1/secrets").await.unwrap_err(),
            controller.get("/api/v1/namespaces/orlop/secrets").await.unwrap_err(),
            controller.get("/api/v1/persistentvolumes").await.unwrap_err(),
        ] {
            assert_eq!(refused.code, 403, "{}", refused.message);
        }
    });
}

#[test]
fn the_controller_cannot_remove_what_is_there() {
    rig::shared(async |rig| {
        rig.with_orlop().await;
        let controller = rig.orlop_controller("removes").await;
        let controller = rig.api_of(&controller).await;
        for kind in WISHES {
            let path = made(&rig, kind, "there", "n1", "Ready").await;
            let refused = controller.delete(&path).await.unwrap_err();
            assert!(refused.message.contains("would stay there"), "{}", refused.message);
            let refused = controller.delete(&list(kind)).await.unwrap_err();
            assert!(refused.message.contains("cannot deletecollection"), "{}", refused.message);
        }
    });
}
