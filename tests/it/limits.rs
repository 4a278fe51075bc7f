//! Limits: what a volume is made with, what ControllerModifyVolume changes, and what the node is told.

use std::num::NonZeroU64;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use orlop::backend::faulty::{Faulty, When};
use orlop::backend::late::Late;
use orlop::backend::memory::Memory;
use orlop::backend::{Backend, Local, LocalPool, Registry};
use orlop::csi::v1;
use orlop::csi::v1::controller_service_capability::Type;
use orlop::csi::v1::controller_service_capability::rpc::Type::ModifyVolume;
use orlop::error::{Error, Result};
use orlop::host::simulated::Simulated;
use orlop::locks::Locks;
use orlop::node::Limiter;
use orlop::volume::{Bytes, Limits, Volume, VolumeId};
use tokio::sync::oneshot;
use tonic::{Code, Status};

use crate::driver::{Driver, NODE, text};
use crate::requests::{create, modify, pairs, publish, stage, unpublish};

/// Later than that, the limiter of the first driver has set them again by itself.
const SOON: Duration = Duration::from_secs(10);

/// A pool that is being opened.
type Opening = Pin<Box<dyn Future<Output = Result<Arc<dyn Local>>> + Send>>;

/// A driver, and the pool and the node behind it to look at.
struct Rig {
    driver: Driver,
    pool: Arc<Memory>,
    host: Simulated,
}

// === impl Rig ===

impl Rig {
    async fn new() -> Self {
        let host = Simulated::default();
        let pool = Arc::new(Memory::new("default", Bytes::gib(100), host.clone()));
        let driver = Driver::start(pool.clone(), Arc::new(host.clone()), 0).await;
        Self { driver, pool, host }
    }

    async fn create(&mut self, limits: &[(&str, &str)]) -> Result<String, Status> {
        let request =
            v1::CreateVolumeRequest { mutable_parameters: pairs(limits), ..create("pvc") };
        let answer = self.driver.controller.create_volume(request).await?;
        Ok(answer.into_inner().volume.unwrap().volume_id)
    }

    async fn modify(&mut self, id: &str, limits: &[(&str, &str)]) -> Result<(), Status> {
        self.driver.controller.controller_modify_volume(modify(id, limits)).await.map(drop)
    }

    async fn volume(&self, id: &str) -> Volume {
        self.pool.find(&id.parse().unwrap()).await.unwrap().unwrap()
    }

    /// Returns the limits that hold on the node for the volume.
    async fn held(&self, id: &str) -> Limits {
        let id: VolumeId = id.parse().unwrap();
        let device = self.pool.attached(&id).await.unwrap().unwrap();
        self.host.limits_of(&device)
    }

    /// Waits until a second limiter has set the limits.
    async fn is_held_again(&self, id: &str, limits: Limits) {
        let began = Instant::now();
        while self.held(id).await != limits {
            assert!(began.elapsed() < SOON, "the limits are not set again");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn publish(&mut self, id: &str) -> String {
        let (staging, target) = (self.driver.staging("staging"), text(&self.driver.path("target")));
        self.driver.node.node_stage_volume(stage(id, &staging)).await.unwrap();
        self.driver.node.node_publish_volume(publish(id, &staging, &target)).await.unwrap();
        target
    }
}

fn reads(limit: u64) -> Limits {
    Limits { read_iops: NonZeroU64::new(limit), ..Limits::NONE }
}

#[tokio::test]
async fn the_capability_is_told() {
    let mut rig = Rig::new().await;
    let request = v1::ControllerGetCapabilitiesRequest {};
    let all = rig.driver.controller.controller_get_capabilities(request).await.unwrap();
    let mut told = all.into_inner().capabilities.into_iter().filter_map(|one| one.r#type);
    let is_modify = |one: Type| matches!(one, Type::Rpc(rpc) if rpc.r#type() == ModifyVolume);
    assert!(told.any(is_modify));
}

/// > Keys that a call does not name stay as they are.
#[tokio::test]
async fn keys_that_are_not_named_stay_and_a_repeat_changes_nothing() {
    let mut rig = Rig::new().await;
    let id = rig.create(&[("readIOPS", "500"), ("writeBytesPerSecond", "20Mi")]).await.unwrap();
    let first = Limits { write_bytes: NonZeroU64::new(20 << 20), ..reads(500) };
    assert_eq!(rig.volume(&id).await.limits, first);
    let second = Limits { read_iops: None, write_iops: NonZeroU64::new(1000), ..first };
    for _ in 0..2 {
        rig.modify(&id, &[("readIOPS", "0"), ("writeIOPS", "1k")]).await.unwrap();
        assert_eq!(rig.volume(&id).await.limits, second);
    }
    // The resizer can add keys of its own; and nothing asked is nothing changed.
    for nothing in [&[("csi.storage.k8s.io/pvc/name", "x")][..], &[]] {
        rig.modify(&id, nothing).await.unwrap();
        assert_eq!(rig.volume(&id).await.limits, second);
    }
}

/// > Of a call with one wrong key or value nothing is applied.
#[tokio::test]
async fn of_a_request_with_a_mistake_nothing_is_applied() {
    let mut rig = Rig::new().await;
    let id = rig.create(&[("readIOPS", "500")]).await.unwrap();
    for (wrong, naming) in [
        (&[("readIOPS", "1"), ("XXX_FakeKey", "1")][..], "there is: readIOPS, writeIOPS"),
        (&[("readIOPS", "1"), ("writeIOPS", "many")], "writeIOPS: \"many\""),
        (&[("readIOPS", "1"), ("readBytesPerSecond", "-5")], "readBytesPerSecond: \"-5\""),
        (&[("readIOPS", "1"), ("readiops", "5")], "unknown key \"readiops\""),
    ] {
        let status = rig.modify(&id, wrong).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
        assert!(status.message().contains(naming), "{status:?}");
        assert_eq!(rig.volume(&id).await.limits, reads(500));
        let status = rig.create(wrong).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    }
}

#[tokio::test]
async fn an_unknown_volume_is_not_found_whatever_is_asked() {
    let mut rig = Rig::new().await;
    for id in ["non-existing-volume-id", "v-00000000000000000000000000000000"] {
        for asked in [&[][..], &[("readIOPS", "1")], &[("XXX_FakeKey", "1")]] {
            let status = rig.modify(id, asked).await.unwrap_err();
            assert_eq!(status.code(), Code::NotFound, "{id} {asked:?}: {status:?}");
        }
    }
    assert_eq!(
        rig.modify("", &[("readIOPS", "1")]).await.unwrap_err().code(),
        Code::InvalidArgument
    );
}

/// > A volume whose limits were changed since is still the answer to its first request.
#[tokio::test]
async fn a_repeat_of_create_is_compared_with_what_was_asked_at_first() {
    let mut rig = Rig::new().await;
    let id = rig.create(&[("readIOPS", "500")]).await.unwrap();
    rig.modify(&id, &[("readIOPS", "700")]).await.unwrap();
    // Equal limits are equal, however they are written; no limit and 0 are the same.
    for same in [&[("readIOPS", "500")][..], &[("readIOPS", "0.5k"), ("writeIOPS", "0")]] {
        assert_eq!(rig.create(same).await.unwrap(), id);
    }
    for other in [&[("readIOPS", "700")][..], &[], &[("readIOPS", "500"), ("writeIOPS", "1")]] {
        let status = rig.create(other).await.unwrap_err();
        assert_eq!(status.code(), Code::AlreadyExists, "{other:?}: {status:?}");
        assert!(status.message().contains("with readIOPS=500, not"), "{status:?}");
    }
    assert_eq!(rig.volume(&id).await.limits, reads(700));
}

#[tokio::test]
async fn validate_confirms_the_limits_that_there_are_now() {
    let mut rig = Rig::new().await;
    let id = rig.create(&[("readIOPS", "500")]).await.unwrap();
    rig.modify(&id, &[("readIOPS", "700")]).await.unwrap();
    for (asked, confirmed) in [
        (&[("readIOPS", "700")][..], true),
        (&[("writeIOPS", "0")], true),
        (&[("readIOPS", "500")], false),
        (&[("XXX_FakeKey", "1")], false),
    ] {
        let request = v1::ValidateVolumeCapabilitiesRequest {
            volume_id: id.clone(),
            volume_capabilities: vec![crate::requests::mount()],
            mutable_parameters: pairs(asked),
            ..v1::ValidateVolumeCapabilitiesRequest::default()
        };
        let answer = rig.driver.controller.validate_volume_capabilities(request).await.unwrap();
        let answer = answer.into_inner();
        assert_eq!(answer.confirmed.is_some(), confirmed, "{asked:?}: {}", answer.message);
    }
}

/// > A new limit holds where the volume is published when the call is answered, and no longer than it is published.
#[tokio::test]
async fn the_node_holds_them_from_publish_to_unpublish_and_changes_them_at_once() {
    let mut rig = Rig::new().await;
    let id = rig.create(&[("readIOPS", "500")]).await.unwrap();
    let target = rig.publish(&id).await;
    assert_eq!(rig.held(&id).await, reads(500));
    rig.modify(&id, &[("readIOPS", "700")]).await.unwrap();
    assert_eq!(rig.held(&id).await, reads(700));
    rig.modify(&id, &[("readIOPS", "0")]).await.unwrap();
    assert_eq!(rig.held(&id).await, Limits::NONE);
    rig.modify(&id, &[("readIOPS", "9")]).await.unwrap();
    rig.driver.node.node_unpublish_volume(unpublish(&id, &target)).await.unwrap();
    // Its device is still there, being staged.
    assert_eq!(rig.held(&id).await, Limits::NONE);
    rig.modify(&id, &[("readIOPS", "8")]).await.unwrap();
    assert_eq!(rig.held(&id).await, Limits::NONE);
}

/// > Limits survive the driver: the next one sets them again, also when another pool does not answer.
#[tokio::test]
async fn a_new_driver_sets_them_again() {
    let mut rig = Rig::new().await;
    let id = rig.create(&[("readIOPS", "500")]).await.unwrap();
    rig.publish(&id).await;
    let device = rig.pool.attached(&id.parse().unwrap()).await.unwrap().unwrap();
    orlop::host::Host::unlimit(&rig.host, device.number, "/".as_ref()).await.unwrap();
    assert_eq!(rig.held(&id).await, Limits::NONE);
    let served: Arc<dyn Local> = rig.pool.clone();
    let silent = Arc::new(Memory::new("silent", Bytes::gib(1), rig.host.clone()));
    let silent = Arc::new(Faulty::new(silent, 1, When::Never));
    let pools = vec![
        LocalPool::new("default", NODE, served),
        LocalPool::new("silent", NODE, Arc::clone(&silent) as Arc<dyn Local>),
    ];
    let host = Arc::new(rig.host.clone());
    let limiter = Limiter::start(Registry::new(pools), host, Locks::default());
    rig.is_held_again(&id, reads(500)).await;
    assert_eq!(limiter.unenforced(&id.parse().unwrap()), None);
    assert!(silent.has_failed(), "the other pool was not asked");
}

/// What is in use of a pool whose disk comes later is limited when it is there.
#[tokio::test]
async fn a_pool_that_comes_late_has_its_limits_set_again() {
    let mut rig = Rig::new().await;
    let id = rig.create(&[("readIOPS", "500")]).await.unwrap();
    rig.publish(&id).await;
    let device = rig.pool.attached(&id.parse().unwrap()).await.unwrap().unwrap();
    orlop::host::Host::unlimit(&rig.host, device.number, "/".as_ref()).await.unwrap();
    let (come, coming) = oneshot::channel::<()>();
    let pool: Arc<dyn Local> = rig.pool.clone();
    let opening: Opening = Box::pin(async move {
        coming.await.unwrap();
        Ok(pool)
    });
    let why = Error::Absent { place: "its disk".to_owned(), why: "it is away".to_owned() };
    let never = || -> Opening { Box::pin(std::future::pending()) };
    let late = Late::begin("default", &why, Some(Box::pin(opening)), never);
    let pools = Registry::new(vec![LocalPool::new("default", NODE, late)]);
    let host = Arc::new(rig.host.clone());
    let _limiter = Limiter::start(pools, host, Locks::default());
    // It has looked, and found no pool.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(rig.held(&id).await, Limits::NONE);
    come.send(()).unwrap();
    rig.is_held_again(&id, reads(500)).await;
}
