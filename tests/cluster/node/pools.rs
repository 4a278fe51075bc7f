//! The Pool object: made and kept by the node, and cordoned by an admin.

use orlop::cluster::objects::{Pool, Snapshot, Volume};
use orlop::volume::Content;
use serde_json::{Value, json};

use super::site::{Site, path};
use crate::rig;

/// > What an admin wrote into a Pool stays, and the node brings the object back when it is deleted.
#[test]
fn a_pool_is_told_and_what_an_admin_wrote_stays() {
    rig::shared(async |rig| {
        let site = Site::simulated(&rig, "p1").await;
        let driver = site.start().await;
        let pool = site.pool().await;
        assert_eq!(pool["metadata"]["name"], "p1.fast");
        let status = &pool["status"];
        assert_eq!((&status["kind"], &status["provisioning"]), (&json!("memory"), &json!("thick")));
        assert_eq!(
            (&status["capacity"], &status["promisable"]),
            (&json!(10_u64 << 30), &json!(10_u64 << 30))
        );
        assert_eq!((&status["size"], &status["usedPercent"]), (&json!("10 GiB"), &json!(0)));
        assert_eq!(status["features"], json!(["Snapshots", "GroupSnapshots"]));
        assert_eq!(status["leastBytes"]["xfs"], 300 << 20);
        assert_eq!(status["conditions"][0]["status"], "True");
        assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));

        site.patch::<Pool>("p1.fast", json!({ "cordoned": true })).await;
        let is_answered = |object: &serde_json::Value| {
            object["status"]["observedGeneration"] == object["metadata"]["generation"]
        };
        site.until::<Pool>("p1.fast", "is answered", is_answered).await;
        driver.kill();
        let driver = site.start().await;
        // Another process has another memory.
        let uuid = status["uuid"].clone();
        let pool = site.until_pool("has a new uuid", |status| status["uuid"] != uuid).await;
        assert_eq!(pool["spec"]["cordoned"], true);

        rig.api.delete(&path::<Pool>("p1.fast")).await.unwrap();
        site.pool().await;
        assert!(driver.stop().success());
    });
}

#[test]
fn a_pool_that_left_the_config_can_be_promised_nothing() {
    rig::shared(async |rig| {
        let site = Site::simulated(&rig, "p2").await;
        site.post(&Pool::at(&orlop::cluster::objects::Home::new("p2", "gone"))).await;
        let _driver = site.start().await;
        let is_told = |object: &serde_json::Value| object["status"]["promisable"] == 0;
        let object = site.until::<Pool>("p2.gone", "is told", is_told).await;
        assert_eq!(object["status"]["conditions"][0]["status"], "False");
    });
}

/// The node has lost the labels of the pool's nodeSelector: its driver gets a config without the pool.
#[test]
fn what_is_in_a_pool_that_left_the_config_is_out_of_reach_and_not_lost() {
    rig::shared(async |rig| {
        let site = Site::real(&rig, "p3").await;
        let driver = site.start().await;
        let wanted = site.small("a", Content::Block);
        let id = wanted.id.as_str();
        let snapshot = site.made_and_cut(&wanted).await;
        let its = snapshot.id.as_str();
        driver.kill();

        let other = json!({ "name": "other", "kind": "memory", "size": "1Gi" });
        let (driver, _) = site.start_with(json!({ "pools": [other] })).await;
        let is_told = |object: &Value| object["status"]["conditions"][0]["status"] == "False";
        for object in [
            site.until::<Volume>(id, "is out of reach", is_told).await,
            site.until::<Snapshot>(its, "is out of reach", is_told).await,
        ] {
            let condition = &object["status"]["conditions"][1];
            assert_eq!(
                (&condition["type"], &condition["reason"]),
                (&json!("PoolUnreachable"), &json!("Inaccessible"))
            );
            let why = condition["message"].as_str().unwrap();
            assert!(why.contains("node p3 has no pool fast in its config"), "{why}");
            assert!(why.contains("labels of the pool's nodeSelector"), "{why}");
            assert_eq!(object["status"]["phase"], "Ready");
        }
        driver.kill();

        let _driver = site.start().await;
        let is_well = |object: &Value| object["status"]["conditions"][0]["status"] == "True";
        let object = site.until::<Volume>(id, "is back", is_well).await;
        assert_eq!(object["status"]["error"], Value::Null);
        site.until::<Snapshot>(its, "is back", is_well).await;
    });
}
