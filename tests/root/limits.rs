//! Limits, as a pod feels them: real fio with direct I/O in a real control group.

use std::fs;
use std::num::NonZeroU64;
use std::path::Path;
use std::time::{Duration, Instant};

use orlop::backend::{Device, Local};
use orlop::csi::v1;
use orlop::csi::v1::VolumeHealthErrorType::Degraded;
use orlop::sys::cgroup::IoMax;
use orlop::sys::mount::{self, MountOptions};

use crate::driver::text;
use crate::pod::Pod;
use crate::requests::{self, create, create_block, modify, pairs, snapshot};
use crate::rig::{Rig, with_rig};

const MIB: u64 = 1 << 20;

/// How long a rate is measured: a pause of a busy machine must not count for much.
const WINDOW: Duration = Duration::from_secs(4);

/// What a device has done.
#[derive(Debug, Clone, Copy)]
struct Counted {
    reads: u64,
    written: u64,
    at: Instant,
}

fn counted(device: &Device) -> Counted {
    let text = fs::read_to_string(format!("/sys/dev/block/{}/stat", device.number)).unwrap();
    let numbers: Vec<u64> = text.split_whitespace().map(|one| one.parse().unwrap()).collect();
    Counted { reads: numbers[0], written: numbers[6] * 512, at: Instant::now() }
}

/// Returns how many reads and how many written bytes there are in a second from now on.
async fn rates(device: &Device) -> (f64, f64) {
    let before = counted(device);
    tokio::time::sleep(WINDOW).await;
    let after = counted(device);
    let seconds = (after.at - before.at).as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a few millions")]
    let rate = |before: u64, after: u64| (after - before) as f64 / seconds;
    (rate(before.reads, after.reads), rate(before.written, after.written))
}

/// Waits until a load that was just started has come to its pace: the counters are older than the device.
async fn busy(device: &Device) {
    let begin = counted(device);
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let now = counted(device);
        if now.reads > begin.reads + 100 || now.written > begin.written + MIB {
            return;
        }
    }
}

#[track_caller]
fn near(measured: f64, limit: f64) {
    assert!((measured / limit - 1.0).abs() <= 0.1, "{measured} a second, not {limit}");
    println!("limit {limit}, measured {measured:.1} ({:.3})", measured / limit);
}

fn reads(limit: u64) -> IoMax {
    IoMax { read_operations: NonZeroU64::new(limit), ..IoMax::default() }
}

fn writes(bytes: u64) -> IoMax {
    IoMax { write_bytes: NonZeroU64::new(bytes), ..IoMax::default() }
}

async fn device(rig: &Rig, id: &str) -> Device {
    rig.pool.attached(&id.parse().unwrap()).await.unwrap().unwrap()
}

async fn publish(rig: &mut Rig, id: &str, capability: v1::VolumeCapability, target: &Path) {
    let staging = rig.driver.staging(&format!("staging {id}"));
    let volume_capability = Some(capability);
    let request = requests::stage(id, &staging);
    let stage =
        v1::NodeStageVolumeRequest { volume_capability: volume_capability.clone(), ..request };
    rig.driver.node.node_stage_volume(stage).await.unwrap();
    let request = requests::publish(id, &staging, &text(target));
    let publish = v1::NodePublishVolumeRequest { volume_capability, ..request };
    rig.driver.node.node_publish_volume(publish).await.unwrap();
}

async fn unpublish(rig: &mut Rig, id: &str, target: &Path) {
    let request = requests::unpublish(id, &text(target));
    rig.driver.node.node_unpublish_volume(request).await.unwrap();
}

async fn delete(rig: &mut Rig, id: &str) {
    let staging = text(&rig.driver.path(&format!("staging {id}")));
    rig.driver.node.node_unstage_volume(requests::unstage(id, &staging)).await.unwrap();
    rig.delete(id).await;
}

async fn set(rig: &mut Rig, id: &str, limits: &[(&str, &str)]) {
    rig.driver.controller.controller_modify_volume(modify(id, limits)).await.unwrap();
}

// Several at a time, so that there is always one that waits: a limit does not make up for a device that idled.
const READ: [&str; 5] =
    ["--rw=randread", "--bs=4k", "--size=64M", "--ioengine=libaio", "--iodepth=16"];
const WRITE: [&str; 5] =
    ["--rw=write", "--bs=64k", "--size=64M", "--ioengine=libaio", "--iodepth=16"];

/// The whole way: made with a limit, raised while it is used, lifted, set again, and gone with the pod.
async fn held_raised_and_gone(mut rig: Rig, mut request: v1::CreateVolumeRequest) -> Rig {
    let pod = Pod::start();
    let capability = request.volume_capabilities[0].clone();
    let is_block = capability == requests::block();
    request.mutable_parameters = pairs(&[("readIOPS", "100")]);
    let id = rig.create(request).await;
    let target = pod.target(rig.driver.room.path(), is_block);
    publish(&mut rig, &id, capability, &target).await;
    let device = device(&rig, &id).await;
    pod.has(&device, reads(100)).await;

    let file = if is_block { target.clone() } else { target.join("data") };
    if !is_block {
        fs::write(&file, vec![7; 64 << 20]).unwrap();
        fs::File::open(&file).unwrap().sync_all().unwrap();
    }
    let fio = pod.fio("app", &file, &READ);
    busy(&device).await;
    near(rates(&device).await.0, 100.0);
    set(&mut rig, &id, &[("readIOPS", "300")]).await;
    near(rates(&device).await.0, 300.0);
    set(&mut rig, &id, &[("readIOPS", "0"), ("writeBytesPerSecond", "4Mi")]).await;
    let free = rates(&device).await.0;
    assert!(free > 450.0, "{free} reads a second without a limit");
    drop(fio);

    pod.has(&device, writes(4 * MIB)).await;
    let fio = pod.fio("app", &file, &WRITE);
    busy(&device).await;
    near(rates(&device).await.1, 4.0 * 1_048_576.0);
    drop(fio);

    unpublish(&mut rig, &id, &target).await;
    pod.has(&device, IoMax::default()).await;
    delete(&mut rig, &id).await;
    rig
}

/// > A file system is not read or written faster than its limit by a pod that has it.
#[test]
fn a_file_system_is_limited_while_a_pod_has_it() {
    with_rig(|rig| held_raised_and_gone(rig, create("limited")));
}

#[test]
fn a_raw_device_is_limited_while_a_pod_has_it() {
    with_rig(|rig| held_raised_and_gone(rig, create_block("limited")));
}

/// What starts later is limited, too; so is everything after a restart; two pods and two volumes are kept apart.
async fn kept(mut rig: Rig) -> Rig {
    let (pod, other) = (Pod::planned(), Pod::start());
    let limited = |name: &str, limit: &str| v1::CreateVolumeRequest {
        mutable_parameters: pairs(&[("readIOPS", limit)]),
        ..create(name)
    };
    let id = rig.create(limited("one", "200")).await;
    let second = rig.create(limited("two", "300")).await;
    let target = pod.target(rig.driver.room.path(), false);
    let other_target = other.target(rig.driver.room.path(), false);
    // Nothing can be limited yet, and nothing fails for that.
    publish(&mut rig, &id, requests::mount(), &target).await;
    publish(&mut rig, &second, requests::mount(), &other_target).await;
    let (one, two) = (device(&rig, &id).await, device(&rig, &second).await);
    pod.add_container("app");
    pod.has(&one, reads(200)).await;
    pod.add_container("sidecar");
    pod.has(&one, reads(200)).await;
    other.has(&two, reads(300)).await;
    pod.has(&two, IoMax::default()).await;
    other.has(&one, IoMax::default()).await;

    for group in pod.groups() {
        group.limit(one.number, IoMax::default()).unwrap();
    }
    let mut rig = rig.restarted().await;
    pod.has(&one, reads(200)).await;
    unpublish(&mut rig, &id, &target).await;
    pod.has(&one, IoMax::default()).await;
    other.has(&two, reads(300)).await;
    unpublish(&mut rig, &second, &other_target).await;
    other.has(&two, IoMax::default()).await;
    for id in [&id, &second] {
        delete(&mut rig, id).await;
    }
    rig
}

#[test]
fn limits_reach_what_starts_later_and_survive_the_driver() {
    with_rig(kept);
}

/// With one large write in flight under a small limit, a freeze would take many seconds.
async fn frozen(mut rig: Rig) -> Rig {
    let pod = Pod::start();
    let mut request = create("slow");
    request.mutable_parameters = pairs(&[("writeBytesPerSecond", "1Mi")]);
    let id = rig.create(request).await;
    let target = pod.target(rig.driver.room.path(), false);
    publish(&mut rig, &id, requests::mount(), &target).await;
    let device = device(&rig, &id).await;
    let large = ["--rw=write", "--bs=16M", "--size=64M", "--ioengine=psync", "--fallocate=none"];
    let fio = pod.fio("app", &target.join("data"), &large);
    busy(&device).await;
    let began = Instant::now();
    let cut = rig.driver.controller.create_snapshot(snapshot("cut", &id)).await.unwrap();
    let took = began.elapsed();
    assert!(took < Duration::from_secs(5), "16 MiB at 1 MiB a second were waited for: {took:?}");
    pod.has(&device, writes(MIB)).await;
    drop(fio);
    let cut = cut.into_inner().snapshot.unwrap().snapshot_id;
    rig.driver.controller.delete_snapshot(requests::delete_snapshot(&cut)).await.unwrap();
    unpublish(&mut rig, &id, &target).await;
    delete(&mut rig, &id).await;
    rig
}

#[test]
fn a_snapshot_does_not_wait_for_what_a_limit_holds_up() {
    with_rig(frozen);
}

/// Where the kernel has no such control groups, the volume works and its health says what is not so.
async fn unenforced(mut rig: Rig) -> Rig {
    let pod = Pod::start();
    let mut request = create("free");
    request.mutable_parameters = pairs(&[("readIOPS", "100")]);
    let id = rig.create(request).await;
    let target = pod.target(rig.driver.room.path(), false);
    let hierarchies = Pod::hierarchies();
    for root in &hierarchies {
        mount::mount("tmpfs", "tmpfs".as_ref(), root, &MountOptions::default()).unwrap();
    }
    publish(&mut rig, &id, requests::mount(), &target).await;
    fs::write(target.join("words"), "written").unwrap();
    let device = device(&rig, &id).await;
    set(&mut rig, &id, &[("readIOPS", "200")]).await;
    for _ in 0..2 {
        let [of_node, of_controller, listed] = health(&mut rig, &id).await;
        assert_eq!([&of_controller, &listed], [&of_node; 2]);
        assert_eq!(of_node.len(), 1, "{of_node:?}");
        assert_eq!(of_node[0].status(), Degraded);
        assert!(of_node[0].message.contains("control groups"), "{of_node:?}");
    }
    for root in &hierarchies {
        assert!(mount::unmount(root).unwrap());
    }
    // Nobody has to call for it.
    pod.has(&device, reads(200)).await;
    let began = Instant::now();
    while health(&mut rig, &id).await.iter().any(|one| !one.is_empty()) {
        assert!(began.elapsed() < Duration::from_secs(5), "not healed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    unpublish(&mut rig, &id, &target).await;
    pod.has(&device, IoMax::default()).await;
    delete(&mut rig, &id).await;
    rig
}

/// Returns what node, controller and the controller's list say of the volume's limits.
async fn health(rig: &mut Rig, id: &str) -> [Vec<v1::volume_health::VolumeHealthEntry>; 3] {
    let volume_id = id.to_owned();
    let request =
        v1::NodeGetVolumeHealthRequest { volume_id: volume_id.clone(), ..Default::default() };
    let of_node = rig.driver.node.node_get_volume_health(request).await.unwrap().into_inner();
    let request = v1::ControllerGetVolumeHealthRequest { volume_id, ..Default::default() };
    let asked = rig.driver.controller.controller_get_volume_health(request).await.unwrap();
    let request = v1::ControllerListVolumeHealthRequest::default();
    let listed = rig.driver.controller.controller_list_volume_health(request).await;
    let listed = listed.unwrap().into_inner().entries;
    assert!(listed.iter().all(|one| one.volume_id == id), "{listed:?}");
    let listed = listed.into_iter().flat_map(|one| one.health_statuses).collect();
    let one = |health: Option<v1::VolumeHealth>| health.unwrap().health_statuses;
    // An emulated machine can be so slow that its pool counts as silent, too.
    let of_limits = |one: &v1::volume_health::VolumeHealthEntry| one.reason == "LimitsNotEnforced";
    [one(of_node.volume_health), one(asked.into_inner().volume_health), listed]
        .map(|all| all.into_iter().filter(of_limits).collect())
}

#[test]
fn where_limits_cannot_be_enforced_the_volume_works_and_its_health_says_so() {
    with_rig(unenforced);
}
