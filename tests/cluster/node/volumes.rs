//! Volumes: made, found, grown, limited, removed.

use orlop::cluster::objects::Volume;
use orlop::volume::{AccessMode, Bytes, Source, VolumeId};
use serde_json::{Value, json};

use super::site::Site;
use crate::rig;

#[test]
fn a_volume_comes_and_goes_with_three_writes_and_two() {
    rig::shared(async |rig| {
        let site = Site::simulated(&rig, "v1").await;
        let driver = site.start().await;
        let wanted = site.wanted("a");
        let id = wanted.id.as_str();
        let begin = rig.audit().now();
        site.wish(&wanted).await;
        let status = site.answered::<Volume>(id).await;
        assert_eq!(status["phase"], "Ready", "{status}");
        assert_eq!(status["bytes"], wanted.size.0);
        assert_eq!(status["conditions"][0]["status"], "True");
        assert_eq!(rig.written(begin, id, 3).await, ["create", "patch status", "patch status"]);

        let begin = rig.audit().now();
        site.delete::<Volume>(id).await;
        site.until_gone::<Volume>(id).await;
        assert_eq!(rig.written(begin, id, 2).await, ["patch", "delete"]);
        assert!(driver.stop().success());
    });
}

/// > What cannot be made has failed for good and leaves nothing in the pool.
///
/// > A wish with a requirement that the node does not know is refused, and not fulfilled in part.
#[test]
fn a_wish_that_cannot_be_fulfilled_fails_for_good_and_leaves_nothing() {
    rig::shared(async |rig| {
        let site = Site::simulated(&rig, "v2").await;
        let _driver = site.start().await;
        let fails = async |object: &Volume, code: &str, word: &str| {
            let id = object.metadata.name.clone().unwrap();
            site.post(object).await;
            let status = site.answered::<Volume>(&id).await;
            assert_eq!(
                (&status["phase"], &status["error"]["code"]),
                (&json!("Failed"), &json!(code))
            );
            assert!(status["error"]["message"].as_str().unwrap().contains(word), "{status}");
            assert_eq!(status["created"], Value::Null);
            id
        };
        let mut huge = site.wanted("huge");
        huge.size = Bytes::gib(100);
        huge.asked.required = Some(huge.size);
        let failed = fails(&Volume::wish(&huge, &site.home()), "exhausted", "no room").await;
        let mut tiny = site.wanted("tiny");
        tiny.size = Bytes(4096);
        fails(&Volume::wish(&tiny, &site.home()), "outOfRange", "least size").await;
        let mut orphaned = site.wanted("copy");
        orphaned.source = Some(Source::Volume(VolumeId::of(&site.name("nobody"))));
        fails(&Volume::wish(&orphaned, &site.home()), "notFound", "does not exist").await;
        let mut newer = Volume::wish(&site.wanted("newer"), &site.home());
        newer.spec.requires = vec!["Encryption".to_owned()];
        fails(&newer, "unsupported", "Encryption").await;
        let mut elsewhere = Volume::wish(&site.wanted("elsewhere"), &site.home());
        elsewhere.spec.pool = "slow".to_owned();
        fails(&elsewhere, "elsewhere", "has no pool slow").await;
        let mut renamed = Volume::wish(&site.wanted("renamed"), &site.home());
        renamed.spec.name = "another".to_owned();
        fails(&renamed, "unfit", "spec.name").await;

        // It is not tried again, and whoever removes it has nothing to wait for.
        site.delete::<Volume>(&failed).await;
        site.until_gone::<Volume>(&failed).await;
        assert_eq!(site.pool().await["status"]["orphanCount"], 0);
    });
}

#[test]
fn a_volume_changes_as_it_is_wished() {
    rig::shared(async |rig| {
        let site = Site::simulated(&rig, "v4").await;
        let _driver = site.start().await;
        let wanted = site.wanted("a");
        let id = wanted.id.as_str();
        site.wish(&wanted).await;
        site.answered::<Volume>(id).await;
        let changed = async |spec| {
            site.patch::<Volume>(id, spec).await;
            site.answered::<Volume>(id).await
        };
        let two = Bytes::gib(2).0;
        let mode = AccessMode::SingleNodeWriter.to_string();
        let attached = json!([{ "node": "v4", "mode": mode }]);
        let status = changed(json!({ "bytes": two, "attachments": attached })).await;
        assert_eq!((&status["bytes"], &status["error"]), (&json!(two), &Value::Null));
        let limits = json!({ "readIOPS": 50 });
        let status = changed(json!({ "limits": limits })).await;
        assert_eq!(status["limits"], limits);

        let status = changed(json!({ "bytes": Bytes::gib(100).0, "limits": null })).await;
        assert_eq!((&status["phase"], &status["bytes"]), (&json!("Ready"), &json!(two)));
        assert_eq!(status["error"]["code"], "exhausted");
        assert_eq!(status["limits"], Value::Null, "what can be done is done");
        // It is taken back.
        let status = changed(json!({ "bytes": two })).await;
        assert_eq!((&status["bytes"], &status["error"]), (&json!(two), &Value::Null));

        let status = changed(json!({ "requires": ["Encryption"], "bytes": 2 * two })).await;
        assert_eq!((&status["phase"], &status["bytes"]), (&json!("Ready"), &json!(two)));
        assert_eq!(status["error"]["code"], "unsupported");
    });
}

/// > A wish for another node changes nothing here.
#[test]
fn a_volume_of_another_node_is_nobody_elses_business() {
    rig::shared(async |rig| {
        let site = Site::simulated(&rig, "v5").await;
        let _driver = site.start().await;
        let mut foreign = Volume::wish(&site.wanted("foreign"), &site.home());
        foreign.spec.node = "v5-other".to_owned();
        // What is wished away on a node that there is not goes by itself.
        rig.node("v5-other").await;
        let id = foreign.metadata.name.clone().unwrap();
        let begin = rig.audit().now();
        site.post(&foreign).await;
        // Whatever is wished afterwards is done before.
        let own = site.wanted("own");
        site.wish(&own).await;
        site.answered::<Volume>(own.id.as_str()).await;
        site.delete::<Volume>(&id).await;
        site.delete::<Volume>(own.id.as_str()).await;
        site.until_gone::<Volume>(own.id.as_str()).await;
        assert_eq!(rig.written(begin, &id, 2).await, ["create", "patch"]);
        assert!(site.get::<Volume>(&id).await.unwrap()["status"].is_null());
    });
}
