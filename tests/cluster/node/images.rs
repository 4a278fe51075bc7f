//! A node with a pool of images: what is in use stays, and what is missing on the disk is told.

use std::time::{Duration, Instant};

use orlop::cluster::objects::{Snapshot, Volume};
use orlop::volume::{Content, FsType};
use serde_json::{Value, json};

use super::site::Site;
use crate::requests::{stage, unstage};
use crate::rig::{self, Relay};

const EXT4: Content = Content::FileSystem(FsType::Ext4);

fn healthy(object: &Value) -> &Value {
    &object["status"]["conditions"][0]["status"]
}

/// > A volume that is staged is not removed; once it is not, it goes without being wished away again.
#[test]
fn a_volume_that_is_staged_is_not_removed() {
    rig::shared(async |rig| {
        let site = Site::real(&rig, "i1").await;
        let _driver = site.start().await;
        let wanted = site.small("a", EXT4);
        let id = wanted.id.as_str();
        site.wish(&wanted).await;
        assert_eq!(site.answered::<Volume>(id).await["phase"], "Ready");
        let (mut node, room) = site.csi().await;
        let staging = room.join("staging");
        std::fs::create_dir_all(&staging).unwrap();
        let staging = staging.to_str().unwrap();
        node.node_stage_volume(stage(id, staging)).await.unwrap();

        site.delete::<Volume>(id).await;
        let status = site.answered::<Volume>(id).await;
        assert_eq!(
            (&status["phase"], &status["error"]["code"]),
            (&json!("Ready"), &json!("inUse"))
        );
        // Taken back, as the controller does.
        site.patch::<Volume>(id, json!({ "delete": false })).await;
        assert_eq!(site.answered::<Volume>(id).await["error"], Value::Null);
        site.delete::<Volume>(id).await;
        assert_eq!(site.answered::<Volume>(id).await["error"]["code"], "inUse");
        // By itself the node looks after one second, two, four and so on: the next time would be at the seventh.
        tokio::time::sleep(Duration::from_secs(4)).await;
        // Nobody has to say it again.
        node.node_unstage_volume(unstage(id, staging)).await.unwrap();
        let freed = Instant::now();
        site.until_gone::<Volume>(id).await;
        assert!(freed.elapsed() < Duration::from_secs(2), "{:?}", freed.elapsed());
        assert_eq!(site.pool().await["status"]["orphanCount"], 0);
    });
}

/// > Of a volume whose deletion was refused nothing is removed, though it is free before the node hears that the wish is
/// > taken back.
#[test]
fn a_wish_that_is_taken_back_is_not_fulfilled_meanwhile() {
    rig::shared(async |rig| {
        let relay = Relay::start();
        let site = Site::real(&rig, "i3").await.through(&relay);
        let _driver = site.start().await;
        let wanted = site.small("a", EXT4);
        let id = wanted.id.as_str();
        site.wish(&wanted).await;
        site.answered::<Volume>(id).await;
        let (mut node, room) = site.csi().await;
        let staging = room.join("staging");
        std::fs::create_dir_all(&staging).unwrap();
        let staging = staging.to_str().unwrap();
        node.node_stage_volume(stage(id, staging)).await.unwrap();
        site.delete::<Volume>(id).await;
        assert_eq!(site.answered::<Volume>(id).await["error"]["code"], "inUse");

        relay.hush();
        site.patch::<Volume>(id, json!({ "delete": false })).await;
        let mark = rig.audit().now();
        node.node_unstage_volume(unstage(id, staging)).await.unwrap();
        // It has decided what to do.
        rig.written(mark, id, 1).await;
        relay.cut();
        assert_eq!(site.answered::<Volume>(id).await["error"], Value::Null);
        node.node_stage_volume(stage(id, staging)).await.unwrap();
        node.node_unstage_volume(unstage(id, staging)).await.unwrap();
    });
}

/// > What was real and is not in its pool any more is told as lost, and never made again.
#[test]
fn what_is_missing_on_the_disk_is_told_until_it_is_back() {
    rig::shared(async |rig| {
        let site = Site::real(&rig, "i2").await;
        let driver = site.start().await;
        let wanted = site.small("a", EXT4);
        let id = wanted.id.as_str();
        let snapshot = site.made_and_cut(&wanted).await;
        let its = snapshot.id.as_str();
        driver.kill();

        let [volumes, snapshots] = ["volumes", "snapshots"].map(|kind| site.in_pool(kind));
        let away = site.in_pool("away");
        site.move_in_pool(&volumes.join(id), &away);
        site.move_in_pool(&snapshots.join(its), &away.with_extension("snapshot"));
        let driver = site.start().await;
        for object in [
            site.until::<Volume>(id, "is lost", |one| healthy(one) == "False").await,
            site.until::<Snapshot>(its, "is lost", |one| healthy(one) == "False").await,
        ] {
            let condition = &object["status"]["conditions"][1];
            assert_eq!(
                (&condition["type"], &condition["reason"]),
                (&json!("ImageMissing"), &json!("DataLoss"))
            );
            assert_eq!(object["status"]["phase"], "Ready");
        }
        driver.kill();

        site.move_in_pool(&away, &volumes.join(id));
        site.move_in_pool(&away.with_extension("snapshot"), &snapshots.join(its));
        let _driver = site.start().await;
        let object = site.until::<Volume>(id, "is back", |one| healthy(one) == "True").await;
        site.until::<Snapshot>(its, "is back", |one| healthy(one) == "True").await;
        assert_eq!(object["status"]["error"], Value::Null);
    });
}
