//! The roles have no rule too many and none too few, by the API server's own word.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::things::{WISHES, list, made};
use crate::pair::Pair;
use crate::requests;
use crate::rig::{self, Event, Rig, Rule, granted, missing, too_few, used, wanted_by_processes};

fn words(rules: &BTreeSet<Rule>) -> Vec<String> {
    rules.iter().map(ToString::to_string).collect()
}

#[test]
fn the_two_processes_need_all_that_their_roles_allow_and_no_more() {
    rig::alone(async |rig| {
        let pool = json!({ "name": "default", "kind": "memory", "size": "10Gi" });
        let pair = Pair::start(&rig, "needs", pool).await;
        live_a_life(&pair).await;
        take_back(&pair).await;
        lose(&pair).await;
        let events = rig.audit().since(rig::Mark::BEGINNING);
        assert_eq!(words(&missing(&events)), <[&str; 0]>::default(), "{}", pair.said());
        let (used, granted) = (used(&events), granted());
        let unused = &granted - &used;
        assert_eq!(words(&unused), <[&str; 0]>::default());
        // What they ask for is what they are allowed; this is also how they are found in all other tests.
        assert_eq!(words(&wanted_by_processes(&events)), words(&granted));
        assert_eq!(used, granted);
        assert!(granted.len() > 30);
    });
}

/// All that is done with things whose node is there.
async fn live_a_life(pair: &Pair) {
    let id = pair.volume("pvc-1").await;
    let mut controller = pair.controller.clone();
    controller.controller_expand_volume(requests::expand(&id, 1 << 30)).await.unwrap();
    let cut = pair.snapshot("cut", &id).await;
    let group = pair.group("group", &[&id]).await;
    let members: Vec<_> = group.snapshots.iter().map(|one| one.snapshot_id.clone()).collect();
    pair.delete_group(&group.group_snapshot_id, &members).await;
    pair.delete_snapshot(&cut).await;
    pair.delete_volume(&id).await;
}

/// Wishes that nobody has begun are taken back.
async fn take_back(pair: &Pair) {
    for kind in WISHES {
        let path = made(&pair.rig, kind, "not-begun", "no-such-node", "").await;
        remove(pair, kind, &path).await;
    }
}

/// What was on a node that is gone is taken away.
async fn lose(pair: &Pair) {
    for kind in WISHES {
        let path = made(&pair.rig, kind, "lost", "no-such-node", "Ready").await;
        remove(pair, kind, &path).await;
    }
}

async fn remove(pair: &Pair, kind: &str, path: &str) {
    let id = path.rsplit('/').next().unwrap();
    match kind {
        "volumes" => pair.delete_volume(id).await,
        "snapshots" => pair.delete_snapshot(id).await,
        _ => pair.delete_group(id, &[format!("{id}-0")]).await,
    }
    let left = pair.rig.api.get(path).await.unwrap_err();
    assert_eq!(left.code, 404, "{kind}: {}", left.message);
}

/// Takes the verb out of the rule of the role that has this resource.
async fn without(rig: &Rig, role: &str, verb: &str, resource: &str) {
    let path = format!("/apis/rbac.authorization.k8s.io/v1/clusterroles/{role}");
    let mut rules = rig.api.get(&path).await.unwrap()["rules"].take();
    let all = rules.as_array_mut().unwrap();
    let is_about =
        |one: &&mut Value| one["resources"].as_array().unwrap().contains(&json!(resource));
    let found = all.iter_mut().find(is_about).unwrap();
    found["verbs"].as_array_mut().unwrap().retain(|allowed| allowed != verb);
    rig.api.patch(&path, &json!({ "rules": rules })).await.unwrap();
}

#[test]
fn a_process_that_wants_more_than_its_role_allows_is_found_in_any_test() {
    let event = |agent: &str, verb: &str, resource: &str| -> Event {
        let object =
            json!({ "apiGroup": "orlop.dev", "resource": resource, "subresource": "status" });
        let line = json!({
            "auditID": "1", "stage": "ResponseComplete", "verb": verb, "requestURI": "/", "userAgent": agent,
            "requestReceivedTimestamp": "2030-01-01T00:00:00.000000Z",
            "user": { "username": "system:serviceaccount:orlop:orlop-node" }, "objectRef": object,
        });
        serde_json::from_value(line).unwrap()
    };
    let events = [
        event("orlop-node/0.1.0", "patch", "volumes"),
        event("orlop-node/0.1.0", "get", "volumes"),
        event("orlop-controller/0.1.0", "patch", "pools"),
        event("kubectl/1.37", "delete", "volumes"),
        event("", "delete", "volumes"),
    ];
    assert_eq!(
        words(&too_few(&events)),
        [
            "orlop-controller: patch pools/status.orlop.dev",
            "orlop-node: get volumes/status.orlop.dev"
        ]
    );
}

#[test]
fn a_rule_too_few_is_named() {
    rig::alone(async |rig| {
        rig.with_orlop().await;
        without(&rig, "orlop-node", "create", "pools").await;
        rig.node("lacks").await;
        let node = rig.api_of(&rig.orlop_node("lacks").await).await;
        // Until then it may be allowed still.
        let refused = async || {
            let pool = super::things::pool("lacks", "fast");
            let path = format!("{}?dryRun=All", list("pools"));
            node.post(&path, &pool).await.err().filter(|refused| refused.code == 403)
        };
        rig.until("the right is gone", refused).await;
        let events = rig.audit().since(rig::Mark::BEGINNING);
        assert_eq!(words(&missing(&events)), ["orlop-node: create pools.orlop.dev"]);
    });
}
