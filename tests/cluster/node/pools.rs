//! The Pool object: made and kept by the node, and cordoned by an admin.

use orlop::cluster::objects::Pool;
use serde_json::json;

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
