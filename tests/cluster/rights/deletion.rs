//! An object whose data is there cannot be removed by mistake, and one that was is no order to remove data.

use serde_json::json;

use super::things::{WISHES, list, made, status, wished_away};
use crate::rig;

/// > An object whose data is there cannot be deleted by anybody, before it is wished that the data be removed; the
/// > refusal says what to do.
#[test]
fn an_object_whose_data_is_there_is_not_removed_by_hand() {
    rig::shared(async |rig| {
        rig.with_orlop().await;
        // What is wished away on a node that there is not goes by itself.
        rig.node("deleted").await;
        for (kind, claim) in [
            ("volumes", "PersistentVolumeClaim"),
            ("snapshots", "VolumeSnapshot"),
            ("groupsnapshots", "VolumeGroupSnapshot"),
        ] {
            for phase in ["Making", "Ready"] {
                let path = made(&rig, kind, &format!("kept-{phase}"), "deleted", phase).await;
                let refused = rig.api.delete(&path).await.unwrap_err();
                assert_eq!(refused.code, 403, "{}", refused.message);
                let said = format!(
                    "its data is on node deleted, in pool fast, and would stay there without an object: delete its \
                     {claim}; or, when that is gone and the data is to be removed for good, run: "
                );
                let (_, command) = refused.message.split_once(&said).unwrap();
                let id = path.rsplit('/').next().unwrap();
                assert!(command.contains(id), "{command}");
                let words = command.split(' ').map(|word| word.trim_matches('\''));
                rig.kubectl(words.skip(1));
                rig.api.delete(&path).await.unwrap();
            }
        }
    });
}

#[test]
fn an_object_that_has_no_data_may_go() {
    rig::shared(async |rig| {
        rig.with_orlop().await;
        for kind in WISHES {
            for phase in ["", "Failed"] {
                let path = made(&rig, kind, &format!("empty-{phase}"), "deleted", phase).await;
                rig.api.delete(&path).await.unwrap();
            }
        }
    });
}

#[test]
fn all_at_once_are_not_removed_either() {
    rig::shared(async |rig| {
        rig.with_orlop().await;
        let path = made(&rig, "volumes", "one-of-all", "all-at-once", "Ready").await;
        let all = format!("{}?fieldSelector=spec.node=all-at-once", list("volumes"));
        let refused = rig.api.delete(&all).await.unwrap_err();
        assert!(refused.message.contains("would stay there without an object"), "{refused:?}");
        rig.api.get(&path).await.unwrap();
    });
}

#[test]
fn a_definition_takes_its_objects_with_it_and_asks_nobody() {
    rig::alone(async |rig| {
        rig.with_orlop().await;
        let mut paths = Vec::new();
        for kind in WISHES {
            paths.push(made(&rig, kind, "gone-with-its-kind", "n1", "Ready").await);
        }
        for kind in WISHES {
            let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
            rig.api.delete(&format!("{definitions}/{kind}.orlop.dev")).await.unwrap();
            let path = format!("{definitions}/{kind}.orlop.dev");
            let gone = async || (rig.api.get(&path).await.err()?.code == 404).then_some(());
            rig.until("the definition is gone", gone).await;
        }
        rig.install_orlop().await;
        for (path, kind) in paths.iter().zip(WISHES) {
            assert_eq!(rig.api.get(path).await.unwrap_err().code, 404);
            // Installed again, all holds as before.
            let path = made(&rig, kind, "gone-with-its-kind", "n1", "Ready").await;
            assert_eq!(rig.api.delete(&path).await.unwrap_err().code, 403);
        }
    });
}

#[test]
fn the_controller_takes_away_what_is_lost() {
    rig::shared(async |rig| {
        rig.with_orlop().await;
        // Were the node gone, the controllers of other tests would be faster.
        rig.node("silent").await;
        let controller = rig.orlop_controller("takes-away").await;
        let controller = rig.api_of(&controller).await;
        for kind in WISHES {
            let path = made(&rig, kind, "lost", "silent", "Ready").await;
            assert_eq!(controller.delete(&path).await.unwrap_err().code, 403);
            controller.patch(&path, &wished_away()).await.unwrap();
            let object = rig.api.get(&path).await.unwrap();
            assert_eq!(object["status"], status("Ready")["status"]);
            controller.delete(&path).await.unwrap();
        }
        let left = rig.api.get(&list("volumes")).await.unwrap();
        let left = left["items"].as_array().unwrap();
        assert!(left.iter().all(|one| one["spec"]["node"] != json!("silent")));
    });
}
