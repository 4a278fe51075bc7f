//! A driver was killed when it had made something, and before it could tell; the next one cannot see whether it has. What
//! may be there has not failed: the controller would take the wish for it away, and make it anew somewhere else.

use orlop::cluster::objects::{GroupSnapshot, Parts, Snapshot, Volume};
use orlop::volume::{Content, NewGroup};
use serde::Serialize;
use serde_json::{Value, json};

use super::site::{Site, new_snapshot};
use crate::rig;

/// Wishes for it, lets the driver die when it is made, and returns its name.
async fn made_and_not_told<K: Parts + Serialize>(site: &Site, object: &K) -> String {
    let driver = site.begin(&[("ORLOP_KILL_AT", "node: made")]);
    let name = site.post(object).await["metadata"]["name"].as_str().unwrap().to_owned();
    site.rig.until("the driver is dead", async || driver.ended()).await;
    assert_eq!(site.get::<K>(&name).await.unwrap()["status"]["phase"], "Making");
    name
}

/// Waits until the node says why it cannot go on. It does not say that nothing is there.
async fn is_still_making<K: Parts>(site: &Site, name: &str, code: &str) {
    let is_told = |object: &Value| !object["status"]["error"].is_null();
    let object = site.until::<K>(name, "says why it waits", is_told).await;
    let status = &object["status"];
    assert_eq!((&status["phase"], &status["error"]["code"]), (&json!("Making"), &json!(code)));
}

async fn is_made<K: Parts>(site: &Site, name: &str) {
    let status = site.answered::<K>(name).await;
    assert_eq!((&status["phase"], &status["error"]), (&json!("Ready"), &Value::Null), "{status}");
}

/// Lets a driver without the pool look at what another one has made there, and then one that has it.
async fn outlives_a_config_without_its_pool<K: Parts + Serialize>(
    site: &Site,
    object: &K,
    code: &str,
) {
    let name = made_and_not_told(site, object).await;
    let other = json!({ "name": "other", "kind": "memory", "size": "1Gi" });
    let driver = site.begin_with(&[], json!({ "pools": [other] }));
    is_still_making::<K>(site, &name, code).await;
    driver.kill();
    let driver = site.start().await;
    is_made::<K>(site, &name).await;
    driver.kill();
}

#[test]
fn what_may_be_in_a_pool_that_left_the_config_has_not_failed() {
    rig::shared(async |rig| {
        let site = Site::real(&rig, "b1").await;
        let wanted = site.small("a", Content::Block);
        let volume = Volume::wish(&wanted, &site.home());
        outlives_a_config_without_its_pool(&site, &volume, "elsewhere").await;
        let snapshot = Snapshot::wish(&new_snapshot(site.name("s"), &wanted.id), &site.home());
        outlives_a_config_without_its_pool(&site, &snapshot, "unfit").await;
        let group = NewGroup::parse(site.name("g").as_str(), &[wanted.id.to_string()]).unwrap();
        let group = GroupSnapshot::wish(&group, &site.home());
        outlives_a_config_without_its_pool(&site, &group, "unfit").await;
    });
}

#[test]
fn what_was_begun_by_a_driver_that_knew_more_has_not_failed() {
    rig::shared(async |rig| {
        let site = Site::real(&rig, "b2").await;
        let volume = Volume::wish(&site.small("a", Content::Block), &site.home());
        let name = made_and_not_told(&site, &volume).await;
        site.patch::<Volume>(&name, json!({ "requires": ["Encryption"] })).await;
        let _driver = site.start().await;
        is_still_making::<Volume>(&site, &name, "unsupported").await;
        site.patch::<Volume>(&name, json!({ "requires": null })).await;
        is_made::<Volume>(&site, &name).await;
    });
}

#[test]
fn what_has_a_record_that_cannot_be_read_has_not_failed() {
    rig::shared(async |rig| {
        let site = Site::real(&rig, "b3").await;
        let volume = Volume::wish(&site.small("a", Content::Block), &site.home());
        let name = made_and_not_told(&site, &volume).await;
        let record = site.in_pool("volumes").join(&name).join("volume.json");
        let whole = site.mounts.run(|| std::fs::read(&record)).unwrap();
        site.mounts.run(|| std::fs::write(&record, "")).unwrap();
        let driver = site.start().await;
        is_still_making::<Volume>(&site, &name, "unfit").await;
        driver.kill();
        site.mounts.run(|| std::fs::write(&record, &whole)).unwrap();
        let _driver = site.start().await;
        is_made::<Volume>(&site, &name).await;
    });
}
