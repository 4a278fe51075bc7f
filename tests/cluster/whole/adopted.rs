//! A volume whose object is new while its data is not.

use orlop::cluster::objects::Volume;
use orlop::volume::Content;
use serde_json::json;
use tonic::Code;

use crate::controller::stage::{Stage, refused, within};
use crate::node::site::Site;
use crate::requests;
use crate::rig;

/// > A volume whose object its node has not seen yet is removed by its node like any other: it may have its data already.
#[test]
fn what_is_adopted_and_deleted_at_once_is_removed() {
    rig::alone(async |rig| {
        let stage = Stage::new(&rig, "fast").await;
        let site = Site::real(&rig, "n1").await;
        let driver = site.start().await;
        let wanted = site.small("a", Content::Block);
        let id = wanted.id.as_str();
        site.wish(&wanted).await;
        assert_eq!(site.answered::<Volume>(id).await["phase"], "Ready");
        site.until_pool("has no orphan", |status| status["orphanCount"] == 0).await;
        driver.kill();
        site.without_the_policy().await;
        site.remove_by_hand::<Volume>(id).await;
        site.wish(&wanted).await;

        let mut controller = stage.controller.clone();
        let early = controller.delete_volume(within(2, requests::delete(id))).await;
        assert_eq!(refused(early).0, Code::Aborted);
        assert_eq!(site.get::<Volume>(id).await.unwrap()["spec"]["delete"], json!(true));
        let _driver = site.start().await;
        controller.delete_volume(within(30, requests::delete(id))).await.unwrap();
        assert_eq!(site.get::<Volume>(id).await, None);
        assert!(!site.has_in_pool(&format!("volumes/{id}")), "the data is left");
    });
}
