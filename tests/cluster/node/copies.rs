//! Snapshots, groups of them, and volumes made from both.

use orlop::cluster::objects::{GroupSnapshot, Snapshot, Volume};
use orlop::volume::{NewGroup, Source};
use serde_json::json;

use super::site::{Site, new_snapshot};
use crate::rig;

#[test]
fn snapshots_are_cut_restored_and_removed() {
    rig::shared(async |rig| {
        let site = Site::simulated(&rig, "c1").await;
        let _driver = site.start().await;
        let source = site.wanted("a");
        site.wish(&source).await;
        site.answered::<Volume>(source.id.as_str()).await;

        let wanted = new_snapshot(site.name("s"), &source.id);
        let begin = rig.audit().now();
        site.post(&Snapshot::wish(&wanted, &site.home())).await;
        let status = site.answered::<Snapshot>(wanted.id.as_str()).await;
        assert_eq!((&status["phase"], &status["content"]), (&json!("Ready"), &json!("xfs")));
        assert_eq!(status["bytes"], source.size.0);
        assert_eq!(rig.written(begin, wanted.id.as_str(), 3).await.len(), 3);

        let mut restored = site.wanted("restored");
        restored.source = Some(Source::Snapshot(wanted.id.clone()));
        let mut cloned = site.wanted("cloned");
        cloned.source = Some(Source::Volume(source.id.clone()));
        for copy in [&restored, &cloned] {
            site.wish(copy).await;
            let status = site.answered::<Volume>(copy.id.as_str()).await;
            assert_eq!(status["phase"], "Ready", "{status}");
        }
        // In any order.
        for id in [&source.id, &restored.id, &cloned.id] {
            site.delete::<Volume>(id.as_str()).await;
            site.until_gone::<Volume>(id.as_str()).await;
        }
        site.delete::<Snapshot>(wanted.id.as_str()).await;
        site.until_gone::<Snapshot>(wanted.id.as_str()).await;
        assert_eq!(site.pool().await["status"]["orphanCount"], 0);

        let nothing = new_snapshot(site.name("nothing"), &source.id);
        site.post(&Snapshot::wish(&nothing, &site.home())).await;
        let status = site.answered::<Snapshot>(nothing.id.as_str()).await;
        assert_eq!(
            (&status["phase"], &status["error"]["code"]),
            (&json!("Failed"), &json!("notFound"))
        );
    });
}

#[test]
fn a_group_comes_and_goes_as_one() {
    rig::shared(async |rig| {
        let site = Site::simulated(&rig, "c2").await;
        let _driver = site.start().await;
        let sources = [site.wanted("a"), site.wanted("b")];
        for source in &sources {
            site.wish(source).await;
            site.answered::<Volume>(source.id.as_str()).await;
        }
        let ids = sources.each_ref().map(|source| source.id.to_string());
        let wanted = NewGroup::parse(site.name("g").as_str(), &ids).unwrap();
        let id = wanted.id.as_str();
        site.post(&GroupSnapshot::wish(&wanted, &site.home())).await;
        let status = site.answered::<GroupSnapshot>(id).await;
        assert_eq!(status["phase"], "Ready", "{status}");
        assert_eq!(status["members"][1]["id"], format!("{id}-1"));
        assert_eq!(status["members"][0]["source"], *wanted.sources()[0].as_str());

        site.delete::<GroupSnapshot>(id).await;
        site.until_gone::<GroupSnapshot>(id).await;
        assert_eq!(site.pool().await["status"]["orphanCount"], 0);
    });
}
