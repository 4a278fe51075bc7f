//! Data without an object, and an object without data: told, and nothing is done about either.

use orlop::cluster::objects::{GroupSnapshot, Volume};
use orlop::volume::{Content, NewGroup};
use serde_json::json;

use super::site::Site;
use crate::rig;

/// > An object that is missing removes no data: the data is told as an orphan, and found when the object is back.
#[test]
fn what_has_no_object_is_told_and_found_again() {
    rig::alone(async |rig| {
        let site = Site::simulated(&rig, "o1").await;
        site.without_the_policy().await;
        let _driver = site.start().await;
        let wanted = site.wanted("a");
        let id = wanted.id.as_str();
        site.wish(&wanted).await;
        let first = site.answered::<Volume>(id).await;
        let group = NewGroup::parse("g", &[id.to_owned()]).unwrap();
        let its = group.id.as_str();
        site.post(&GroupSnapshot::wish(&group, &site.home())).await;
        let cut = site.answered::<GroupSnapshot>(its).await;
        // Nobody wished that the data be removed.
        site.remove_by_hand::<Volume>(id).await;
        site.remove_by_hand::<GroupSnapshot>(its).await;
        let orphans =
            json!([{ "id": id, "kind": "Volume" }, { "id": its, "kind": "GroupSnapshot" }]);
        site.until_pool("tells the orphans", |status| status["orphans"] == orphans).await;

        let mut other = wanted.clone();
        other.content = Content::Block;
        site.wish(&other).await;
        let status = site.answered::<Volume>(id).await;
        assert_eq!(
            (&status["phase"], &status["error"]["code"]),
            (&json!("Failed"), &json!("differs"))
        );
        // To remove that wish removes nothing.
        site.delete::<Volume>(id).await;
        site.until_gone::<Volume>(id).await;

        site.wish(&wanted).await;
        site.post(&GroupSnapshot::wish(&group, &site.home())).await;
        for (again, first) in [
            (site.answered::<Volume>(id).await, first),
            (site.answered::<GroupSnapshot>(its).await, cut),
        ] {
            assert_eq!((&again["phase"], &again["created"]), (&json!("Ready"), &first["created"]));
        }
        site.until_pool("has no orphans", |status| status["orphanCount"] == 0).await;
    });
}

#[test]
fn what_was_lost_is_never_made_again() {
    rig::shared(async |rig| {
        let site = Site::simulated(&rig, "o2").await;
        let driver = site.start().await;
        let wanted = site.wanted("a");
        let id = wanted.id.as_str();
        site.wish(&wanted).await;
        site.answered::<Volume>(id).await;
        driver.kill();
        // The pool was in the memory of that process: this is another one.
        let _driver = site.start().await;
        let is_lost = |object: &serde_json::Value| {
            let conditions = &object["status"]["conditions"];
            conditions[0]["status"] == "False" && conditions[1]["reason"] == "DataLoss"
        };
        let object = site.until::<Volume>(id, "is lost", is_lost).await;
        assert_eq!(
            (&object["status"]["phase"], &object["status"]["error"]["code"]),
            (&json!("Ready"), &json!("unfit"))
        );
        site.until_pool("is empty", |status| status["used"] == 0).await;
        site.delete::<Volume>(id).await;
        site.until_gone::<Volume>(id).await;
    });
}
