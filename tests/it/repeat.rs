//! Every call that changes something, failed at each of its steps, before and after the step was done: the
//! same call again then succeeds, and the undoing calls leave nothing over.

use std::sync::Arc;

use orlop::backend::faulty::{Faulty, When};
use orlop::backend::memory::Memory;
use orlop::backend::{Local, LocalPool};
use orlop::csi::v1;
use orlop::host::simulated::Simulated;
use orlop::volume::Bytes;
use tonic::{Code, Status};

use crate::driver::{Driver, NODE, text};
use crate::requests::{
    MIB, attach, create, delete, delete_group, delete_snapshot, detach, expand, group, modify,
    node_expand, of_snapshot, publish, snapshot, stage, unpublish, unstage,
};

/// The steps of a volume's whole life; a step is repeated until it succeeds.
const STEPS: [&str; 17] = [
    "create",
    "attach",
    "stage",
    "publish",
    "modify",
    "expand",
    "grow",
    "snapshot",
    "group",
    "restore",
    "delete group",
    "unpublish",
    "unstage",
    "detach",
    "delete snapshot",
    "delete restored",
    "delete",
];

/// What the life of a volume needs to know.
struct Life {
    driver: Driver,
    volume: String,
    snapshot: String,
    group: v1::VolumeGroupSnapshot,
    restored: String,
    staging: String,
    target: String,
}

impl Life {
    async fn new(backend: Arc<dyn Local>, host: Simulated) -> Self {
        let pool = LocalPool::new("default", NODE, backend);
        let driver = Driver::start_with(vec![pool], Arc::new(host), 0).await;
        let (staging, target) = (driver.staging("staging"), text(&driver.path("target")));
        let [volume, snapshot, restored] = [(); 3].map(|()| String::new());
        let group = v1::VolumeGroupSnapshot::default();
        Self { driver, volume, snapshot, group, restored, staging, target }
    }

    async fn step(&mut self, step: &str) -> Result<(), Status> {
        let (c, n) = (&mut self.driver.controller, &mut self.driver.node);
        let id = &self.volume;
        match step {
            "create" => {
                let answer = c.create_volume(create("pvc")).await?.into_inner();
                self.volume = answer.volume.unwrap().volume_id;
            }
            "attach" => drop(c.controller_publish_volume(attach(id, NODE)).await?),
            "stage" => drop(n.node_stage_volume(stage(id, &self.staging)).await?),
            "publish" => {
                let request = publish(id, &self.staging, &self.target);
                drop(n.node_publish_volume(request).await?);
            }
            "modify" => drop(c.controller_modify_volume(modify(id, &[("readIOPS", "9")])).await?),
            "expand" => drop(c.controller_expand_volume(expand(id, 600 * MIB)).await?),
            "grow" => drop(n.node_expand_volume(node_expand(id, &self.target)).await?),
            "snapshot" => {
                let answer = c.create_snapshot(snapshot("snap", id)).await?.into_inner();
                self.snapshot = answer.snapshot.unwrap().snapshot_id;
            }
            "group" => {
                let g = &mut self.driver.groups;
                let answer = g.create_volume_group_snapshot(group("group", &[id])).await?;
                self.group = answer.into_inner().group_snapshot.unwrap();
            }
            "delete group" => {
                let members: Vec<_> =
                    self.group.snapshots.iter().map(|one| one.snapshot_id.clone()).collect();
                let request = delete_group(&self.group.group_snapshot_id, &members);
                drop(self.driver.groups.delete_volume_group_snapshot(request).await?);
            }
            "restore" => {
                let member = &self.group.snapshots[0].snapshot_id;
                let volume_content_source = of_snapshot(member);
                let mut request = create("restored");
                request.volume_content_source = volume_content_source;
                request.capacity_range = None;
                let answer = c.create_volume(request).await?.into_inner();
                self.restored = answer.volume.unwrap().volume_id;
            }
            "unpublish" => drop(n.node_unpublish_volume(unpublish(id, &self.target)).await?),
            "unstage" => drop(n.node_unstage_volume(unstage(id, &self.staging)).await?),
            "detach" => drop(c.controller_unpublish_volume(detach(id, NODE)).await?),
            "delete snapshot" => {
                drop(c.delete_snapshot(delete_snapshot(&self.snapshot)).await?);
            }
            "delete restored" => drop(c.delete_volume(delete(&self.restored)).await?),
            "delete" => drop(c.delete_volume(delete(id)).await?),
            other => panic!("no step {other:?}"),
        }
        Ok(())
    }
}

async fn live(fails_at: u64, when: When) -> bool {
    let host = Simulated::default();
    let memory: Arc<dyn Local> = Arc::new(Memory::new("m", Bytes::gib(10), host.clone()));
    let faulty = Arc::new(Faulty::new(Arc::clone(&memory), fails_at, when));
    let backend: Arc<dyn Local> = faulty.clone();
    let mut life = Life::new(backend, host).await;
    for step in STEPS {
        let told = match life.step(step).await {
            Ok(()) => life.step(step).await,
            Err(status) => {
                assert_eq!(
                    status.code(),
                    Code::Internal,
                    "{step} failing at {fails_at}: {status:?}"
                );
                assert!(status.message().contains("failed on purpose"), "{status:?}");
                match life.step(step).await {
                    Ok(()) => life.step(step).await,
                    failed => failed,
                }
            }
        };
        // The fault may fall into the repeat of a call: the third time must do.
        if let Err(status) = told {
            assert!(
                status.message().contains("failed on purpose"),
                "{step} at {fails_at}: {status:?}"
            );
            life.step(step).await.unwrap();
        }
    }
    assert_eq!(memory.list(None, usize::MAX).await.unwrap(), [], "at {fails_at} {when:?}");
    assert_eq!(memory.snapshots().unwrap().list(None, usize::MAX).await.unwrap(), []);
    assert!(!life.driver.path("target").exists(), "at {fails_at} {when:?}");
    assert!(life.driver.locks.held().is_empty());
    faulty.has_failed()
}

/// > A call that failed at any of its steps, before or after the step was done, can be made again and then succeeds.
#[tokio::test]
async fn a_failure_at_any_step_is_finished_by_the_same_call_again() {
    for when in [When::Before, When::After] {
        let mut reached = 0;
        for fails_at in 1.. {
            if !live(fails_at, when).await {
                break;
            }
            reached = fails_at;
        }
        assert!(reached > 40, "only {reached} calls of the backend in a whole life");
    }
}
