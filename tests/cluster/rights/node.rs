//! What a node may do, and what somebody who has stolen its token may not.

use serde_json::{Value, json};

use super::things::{WISHES, list, made, path, pool, status, thing, wished_away};
use crate::rig::{self, Identity, Refused, Rig};

#[track_caller]
fn is_refused(outcome: Result<Value, Refused>, why: &str) {
    let refused = outcome.unwrap_err();
    assert_eq!(refused.code, 403, "{}", refused.message);
    assert!(refused.message.contains(why), "{}", refused.message);
}

#[test]
fn a_node_says_what_is_true_and_takes_away_what_is_to_go() {
    rig::shared(async |rig| {
        rig.with_orlop().await;
        rig.node("says").await;
        let node = rig.api_of(&rig.orlop_node("says").await).await;
        for kind in WISHES {
            let path = made(&rig, kind, "said", "says", "").await;
            node.get(&format!("{}?fieldSelector=spec.node=says", list(kind))).await.unwrap();
            drop(node.watch(&list(kind)).await.unwrap());
            node.patch(&format!("{path}/status"), &status("Ready")).await.unwrap();
            // It makes no wish, and changes none.
            let other = thing(kind, "another", "says");
            is_refused(node.post(&list(kind), &other).await, "cannot create resource");
            is_refused(node.patch(&path, &wished_away()).await, "cannot patch resource");
            is_refused(node.delete(&path).await, "would stay there without an object");
            // What is in the patch beside the status is no change of the wish.
            let mut both = wished_away();
            both["status"] = status("Making")["status"].take();
            let object = node.patch(&format!("{path}/status"), &both).await.unwrap();
            assert_eq!(
                (&object["spec"]["delete"], object["status"]["phase"].as_str()),
                (&Value::Null, Some("Making"))
            );
            rig.api.patch(&path, &wished_away()).await.unwrap();
            node.delete(&path).await.unwrap();
        }
    });
}

#[test]
fn a_node_has_pools_of_its_own_and_no_say_in_what_is_wanted_of_them() {
    rig::shared(async |rig| {
        rig.with_orlop().await;
        rig.node("has").await;
        let node = rig.api_of(&rig.orlop_node("has").await).await;
        let object = node.post(&list("pools"), &pool("has", "fast")).await.unwrap();
        let path = path("pools", &object);
        node.get(&list("pools")).await.unwrap();
        drop(node.watch(&list("pools")).await.unwrap());
        let told = json!({ "status": { "kind": "image" } });
        node.patch(&format!("{path}/status"), &told).await.unwrap();
        let cordoned = json!({ "spec": { "cordoned": true } });
        is_refused(node.patch(&path, &cordoned).await, "cannot patch resource");
        is_refused(node.delete(&path).await, "cannot delete resource");
        for refused in ["/api/v1/nodes", "/api/v1/secrets", "/api/v1/persistentvolumes"] {
            is_refused(node.get(refused).await, "cannot list resource");
        }
    });
}

#[test]
fn a_node_whose_name_is_long_has_a_pool() {
    rig::shared(async |rig| {
        rig.with_orlop().await;
        // The name of a pod is as long as that of an object at most, and begins with that of the account.
        let long = format!("a{}", ".longer".repeat(34));
        rig.node(&long).await;
        let node = rig.api_of(&rig.orlop_node(&long).await).await;
        let (fits, shortened) = (pool(&long, "fast"), pool(&long, &"p".repeat(63)));
        assert!(shortened["metadata"]["name"].as_str().unwrap().len() <= 253);
        for object in [&fits, &shortened] {
            node.post(&list("pools"), object).await.unwrap();
        }
        let mut other = pool(&long, &"q".repeat(63));
        other["metadata"]["name"] = format!("b{}", ".longer".repeat(30)).into();
        is_refused(node.post(&list("pools"), &other).await, "the object of this pool is named a.");
    });
}

#[test]
fn a_stolen_token_is_good_for_one_node() {
    rig::shared(async |rig| {
        rig.with_orlop().await;
        rig.node("robbed").await;
        let stolen = rig.api_of(&rig.orlop_node("robbed").await).await;
        harms_no_other(&rig, &stolen, "victim").await;
    });
}

/// > A node's token writes objects of its own node alone, whatever its role allows; a token of no node writes nothing.
#[test]
fn a_stolen_token_is_good_for_one_node_whatever_its_role_allows() {
    rig::alone(async |rig| {
        rig.with_orlop().await;
        rig.node("robbed").await;
        let stolen = rig.orlop_node("robbed").await;
        let stolen = rig.api_of(&stolen).await;
        rig.apply(EVERYTHING);
        let allowed = async || stolen.get("/api/v1/secrets").await.ok();
        rig.until("the role allows everything", allowed).await;
        harms_no_other(&rig, &stolen, "victim").await;

        let makes = "a node fulfils wishes: it makes none, and changes none";
        for kind in WISHES {
            let own = made(&rig, kind, "own", "robbed", "Ready").await;
            is_refused(stolen.post(&list(kind), &thing(kind, "new", "robbed")).await, makes);
            is_refused(stolen.patch(&own, &wished_away()).await, makes);
            let annotated = json!({ "metadata": { "annotations": { "a": "b" } } });
            is_refused(stolen.patch(&own, &annotated).await, makes);
            let other = thing(kind, "new", "victim");
            is_refused(stolen.post(&list(kind), &other).await, "it is on node victim");
        }
        let own = rig.api.post(&list("pools"), &pool("robbed", "fast")).await.unwrap();
        let cordoned = json!({ "spec": { "cordoned": true } });
        let changed = stolen.patch(&path("pools", &own), &cordoned).await;
        is_refused(changed, "its node writes the status alone");
        let unbound = rig.api_of(&rig.token("orlop", "orlop-node", &json!({})).await).await;
        let why = "this token does not say on which node it is used";
        is_refused(unbound.patch(&path("pools", &own), &cordoned).await, why);
    });
}

/// Tries all that could be done to another node.
async fn harms_no_other(rig: &Rig, stolen: &rig::Api, victim: &str) {
    let foreign = format!("it is on node {victim}, and this token is that of node robbed");
    // What is wished away on a node that there is not goes by itself.
    rig.node(victim).await;
    for kind in WISHES {
        for phase in ["", "Ready", "Failed"] {
            let path = made(rig, kind, &format!("of-{victim}-{phase}"), victim, phase).await;
            let told = stolen.patch(&format!("{path}/status"), &status("Failed")).await;
            is_refused(told, &foreign);
            if phase == "Ready" {
                rig.api.patch(&path, &wished_away()).await.unwrap();
            }
            is_refused(stolen.delete(&path).await, &foreign);
        }
    }
    let pools = list("pools");
    is_refused(stolen.post(&pools, &pool(victim, "fast")).await, &foreign);
    // The name alone would keep the other's pool from being made.
    let mut squatter = pool("robbed", "fast");
    squatter["metadata"]["name"] = format!("{victim}.fast").into();
    is_refused(stolen.post(&pools, &squatter).await, "this pool is named robbed.fast");
    let object = rig.api.post(&pools, &pool(victim, "fast")).await.unwrap();
    let path = path("pools", &object);
    let told = json!({ "status": { "kind": "image" } });
    is_refused(stolen.patch(&format!("{path}/status"), &told).await, &foreign);
}

#[test]
fn a_token_that_is_on_no_node_writes_nothing() {
    rig::shared(async |rig| {
        rig.with_orlop().await;
        let path = made(&rig, "volumes", "unbound", "unbound", "").await;
        let pools = list("pools");
        let unbound = rig.token("orlop", "orlop-node", &json!({})).await;
        // Nor does somebody who pretends to be a node.
        for identity in [unbound, Identity::user("system:serviceaccount:orlop:orlop-node", "x")] {
            let api = rig.api_of(&identity).await;
            let why = "this token does not say on which node it is used";
            is_refused(api.patch(&format!("{path}/status"), &status("Ready")).await, why);
            is_refused(api.delete(&path).await, why);
            is_refused(api.post(&pools, &pool("unbound", "fast")).await, why);
        }
    });
}

const EVERYTHING: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: everything}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects:
  - {kind: ServiceAccount, namespace: orlop, name: orlop-node}
";
