//! The API server is away, or hangs up: volumes are used all the same, and wishes wait.

use orlop::cluster::objects::Volume;

use super::site::Site;
use crate::requests::{publish, stage, unpublish, unstage};
use crate::rig::{self, Relay};

const LOST: &str = "the API server does not answer";
const FOUND: &str = "the API server answers again";

/// > Volumes are used while the API server is away, and wishes wait until it is back.
#[test]
fn without_the_api_server_volumes_are_used_and_wishes_wait() {
    rig::shared(async |rig| {
        let relay = Relay::start();
        let site = Site::simulated(&rig, "a1").await.through(&relay);
        let driver = site.start().await;
        let wanted = site.wanted("a");
        site.wish(&wanted).await;
        site.answered::<Volume>(wanted.id.as_str()).await;
        site.pool().await;

        relay.shut();
        rig.until("the loss is told", async || driver.said().contains(LOST).then_some(())).await;
        let (mut node, room) = site.csi().await;
        let (staging, target) = (room.join("staging"), room.join("target"));
        let (staging, target) = (staging.to_str().unwrap(), target.to_str().unwrap());
        let id = wanted.id.as_str();
        node.node_stage_volume(stage(id, staging)).await.unwrap();
        node.node_publish_volume(publish(id, staging, target)).await.unwrap();
        node.node_unpublish_volume(unpublish(id, target)).await.unwrap();
        node.node_unstage_volume(unstage(id, staging)).await.unwrap();
        let later = site.wanted("later");
        site.wish(&later).await;
        site.delete::<Volume>(id).await;

        relay.open();
        assert_eq!(site.answered::<Volume>(later.id.as_str()).await["phase"], "Ready");
        site.until_gone::<Volume>(id).await;
        let said = driver.said();
        assert_eq!((said.matches(LOST).count(), said.matches(FOUND).count()), (1, 1), "{said}");
    });
}

#[test]
fn a_node_starts_without_the_api_server() {
    rig::shared(async |rig| {
        let relay = Relay::start();
        let site = Site::simulated(&rig, "a2").await.through(&relay);
        relay.shut();
        let wanted = site.wanted("a");
        site.wish(&wanted).await;
        let driver = site.start().await;
        rig.until("the loss is told", async || driver.said().contains(LOST).then_some(())).await;
        relay.open();
        assert_eq!(site.answered::<Volume>(wanted.id.as_str()).await["phase"], "Ready");
        assert!(driver.stop().success());
    });
}

#[test]
fn connections_that_are_cut_lose_nothing() {
    rig::shared(async |rig| {
        let relay = Relay::start();
        let site = Site::simulated(&rig, "a3").await.through(&relay);
        let _driver = site.start().await;
        for round in 0..5 {
            let all = (0..8).map(|number| site.wanted(&format!("{round}.{number}")));
            let mut all: Vec<_> = all.collect();
            for wanted in &mut all {
                wanted.size = orlop::volume::Bytes::mib(300);
                wanted.asked.required = Some(wanted.size);
                site.wish(wanted).await;
                relay.cut();
            }
            for wanted in &all {
                let status = site.answered::<Volume>(wanted.id.as_str()).await;
                assert_eq!(status["phase"], "Ready", "{status}");
                site.delete::<Volume>(wanted.id.as_str()).await;
                relay.cut();
            }
            for wanted in &all {
                site.until_gone::<Volume>(wanted.id.as_str()).await;
            }
        }
        assert_eq!(site.pool().await["status"]["orphanCount"], 0);
    });
}

#[test]
fn an_api_server_that_was_killed_is_found_again() {
    rig::alone(async |rig| {
        let site = Site::simulated(&rig, "a4").await;
        let driver = site.start().await;
        site.pool().await;
        rig.cluster.kill_api_server();
        rig.until("the loss is told", async || driver.said().contains(LOST).then_some(())).await;
        rig.cluster.start_api_server();
        rig.until_it_is_ready().await;
        let wanted = site.wanted("a");
        site.wish(&wanted).await;
        assert_eq!(site.answered::<Volume>(wanted.id.as_str()).await["phase"], "Ready");
    });
}
