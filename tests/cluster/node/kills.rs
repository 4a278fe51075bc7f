//! The node is killed at every step; the next one goes on, and nothing is lost or left over.
//!
//! One life of a volume and its copies is lived again and again; in the n-th life the driver dies at the n-th step that
//! it reaches.

use orlop::cluster::objects::{GroupSnapshot, Snapshot, Volume};
use orlop::volume::{Content, FsType, NewGroup, Source};
use serde_json::{Value, json};

use super::site::{Site, new_snapshot, path};
use crate::rig::{self, Process, Rig};

/// As many nodes live at the same time.
const SIDE_BY_SIDE: usize = 4;

/// A node, and the driver that dies or the one that comes after it.
struct Life {
    site: Site,
    process: Process,
    has_died: bool,
}

/// > A node that is killed at any step goes on when it is back: nothing is lost, nothing is left over, nothing is made twice.
#[test]
fn a_node_that_is_killed_anywhere_goes_on() {
    rig::shared(async |rig| {
        let lives = (0..SIDE_BY_SIDE).map(|number| live_until_old(&rig, number));
        let steps: Vec<usize> = futures_util::future::join_all(lives).await;
        assert!(steps.iter().all(|steps| *steps > 40), "{steps:?}");
    });
}

/// Lives until a life ends without a death; every so many steps are this one's.
async fn live_until_old(rig: &Rig, number: usize) -> usize {
    let node = format!("k{number}");
    let site = Site::real(rig, &node).await;
    let mut life = Life { process: site.start().await, site, has_died: true };
    for step in (1 + number..).step_by(SIDE_BY_SIDE) {
        life.process.kill();
        life.process = life.site.begin(&[("ORLOP_KILL_AT_STEP", &step.to_string())]);
        life.has_died = false;
        life.live().await;
        if !life.has_died {
            return step;
        }
    }
    unreachable!()
}

// === impl Life ===

impl Life {
    async fn live(&mut self) {
        let ext4 = Content::FileSystem(FsType::Ext4);
        let (volume, raw) = (self.site.small("a", ext4), self.site.small("b", Content::Block));
        for wanted in [&volume, &raw] {
            self.site.wish(wanted).await;
            self.until_ready::<Volume>(wanted.id.as_str()).await;
        }
        let snapshot = new_snapshot(self.site.name("s"), &volume.id);
        self.site.post(&Snapshot::wish(&snapshot, &self.site.home())).await;
        self.until_ready::<Snapshot>(snapshot.id.as_str()).await;
        let sources = [&volume, &raw].map(|wanted| wanted.id.to_string());
        let group = NewGroup::parse(self.site.name("g").as_str(), &sources).unwrap();
        self.site.post(&GroupSnapshot::wish(&group, &self.site.home())).await;
        self.until_ready::<GroupSnapshot>(group.id.as_str()).await;
        let mut copy = self.site.small("c", ext4);
        copy.source = Some(Source::Snapshot(snapshot.id.clone()));
        self.site.wish(&copy).await;
        self.until_ready::<Volume>(copy.id.as_str()).await;

        let twice = volume.size.0 * 2;
        let change = json!({ "bytes": twice, "limits": { "readIOPS": 100 } });
        self.site.patch::<Volume>(volume.id.as_str(), change).await;
        let status = self.until_ready::<Volume>(volume.id.as_str()).await;
        assert_eq!((&status["bytes"], &status["limits"]["readIOPS"]), (&json!(twice), &json!(100)));

        for id in [&volume.id, &raw.id, &copy.id] {
            self.site.delete::<Volume>(id.as_str()).await;
            self.until_gone(&path::<Volume>(id.as_str())).await;
        }
        self.site.delete::<Snapshot>(snapshot.id.as_str()).await;
        self.until_gone(&path::<Snapshot>(snapshot.id.as_str())).await;
        self.site.delete::<GroupSnapshot>(group.id.as_str()).await;
        self.until_gone(&path::<GroupSnapshot>(group.id.as_str())).await;
        self.site.until_pool("has nothing left", |status| status["orphanCount"] == 0).await;
    }

    async fn until_ready<K: orlop::cluster::objects::Parts>(&mut self, id: &str) -> Value {
        let path = path::<K>(id);
        let found = self.until(&path, |found| {
            let found = found.as_ref()?;
            let status = &found["status"];
            let is_answered = status["observedGeneration"] == found["metadata"]["generation"];
            (is_answered && status["phase"] != "Making").then(|| status.clone())
        });
        let status = found.await;
        assert_eq!(status["phase"], "Ready", "{status}");
        assert_eq!(status["error"], Value::Null, "{status}");
        status
    }

    async fn until_gone(&mut self, path: &str) {
        self.until(path, |found| found.is_none().then_some(())).await;
    }

    /// Looks at the object until it is so, and lets another driver go on where one has died.
    async fn until<T>(&mut self, path: &str, is_so: impl Fn(Option<Value>) -> Option<T>) -> T {
        let rig = self.site.rig.clone();
        let look = async || {
            if self.process.ended().is_some() {
                assert!(!self.has_died, "{}", self.process.said());
                self.has_died = true;
                self.process = self.site.begin(&[]);
            }
            is_so(rig.api.get(path).await.ok())
        };
        rig.until(path, look).await
    }
}
