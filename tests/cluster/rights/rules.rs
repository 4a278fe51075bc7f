//! The roles have no rule too many.

use super::things::{WISHES, list, path, pool, status, thing, wished_away};
use crate::rig::{self, Api, granted, used};
use serde_json::json;

#[test]
fn each_use_of_a_rule_is_in_the_audit() {
    rig::alone(async |rig| {
        rig.with_orlop().await;
        rig.node("n1").await;
        let controller = rig.api_of(&rig.orlop_controller("n1").await).await;
        let node = rig.api_of(&rig.orlop_node("n1").await).await;
        let before = rig.audit().now();
        assert!(used(&rig.audit().since(before)).is_empty());
        use_all(&controller, &node).await;
        let (used, granted) = (used(&rig.audit().since(before)), granted());
        let unused: Vec<_> = granted.difference(&used).map(ToString::to_string).collect();
        assert_eq!(unused, <[&str; 0]>::default());
        let unknown: Vec<_> = used.difference(&granted).map(ToString::to_string).collect();
        assert_eq!(unknown, <[&str; 0]>::default());
        assert!(used.len() > 30, "{used:?}");
    });
}

async fn use_all(controller: &Api, node: &Api) {
    let told = json!({ "status": { "kind": "image" } });
    let made = node.post(&list("pools"), &pool("n1", "fast")).await.unwrap();
    node.patch(&format!("{}/status", path("pools", &made)), &told).await.unwrap();
    for kind in WISHES {
        let made = controller.post(&list(kind), &thing(kind, "used", "n1")).await.unwrap();
        let path = path(kind, &made);
        controller.get(&path).await.unwrap();
        node.patch(&format!("{path}/status"), &status("Ready")).await.unwrap();
        controller.patch(&path, &wished_away()).await.unwrap();
        controller.delete(&path).await.unwrap();
        let made = controller.post(&list(kind), &thing(kind, "used", "n1")).await.unwrap();
        node.delete(&path).await.unwrap();
        drop(made);
    }
    for kind in WISHES.into_iter().chain(["pools"]) {
        for api in [controller, node] {
            api.get(&list(kind)).await.unwrap();
            drop(api.watch(&list(kind)).await.unwrap());
        }
    }
    controller.get("/api/v1/nodes").await.unwrap();
    drop(controller.watch("/api/v1/nodes").await.unwrap());
}
