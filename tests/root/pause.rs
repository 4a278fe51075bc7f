//! A thin pool that fills up: the writers wait, go on when there is room, and have lost nothing; also when the driver
//! is killed meanwhile.

use std::fs::{self, File};
use std::io::Write;
use std::num::NonZeroU64;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use orlop::csi::v1;
use orlop::csi::v1::VolumeHealthErrorType as Status;
use orlop::csi::v1::controller_client::ControllerClient;
use orlop::csi::v1::node_client::NodeClient;
use orlop::csi::v1::volume_capability::access_mode::Mode;
use orlop::sys::cgroup::{Group, IoMax};
use orlop::sys::reflink::allocate;
use orlop::sys::{DeviceNumber, statvfs};
use tonic::Code;
use tonic::transport::Channel;

use crate::driver::{connect, text};
use crate::pod::{Fio, Pod};
use crate::process::Process;
use crate::requests::{self, at_least, create, delete, publish, stage, unpublish, unstage};
use crate::rig::{Ground, loops_below};
use crate::support::{block_on, in_mount_namespace, new_dir};

const MIB: u64 = 1 << 20;
const PIECE: usize = 1 << 20;

/// A tenth of the 20 GiB of the ground. A freeze writes out what its volume has in memory, and beside the other tests
/// that can be much more than the reserve of a pool that small: docs/limits.md says how large it has to be.
const RESERVE: u64 = 20 * 1024 * MIB / 10;

const CONFIG: &str = "attach: off\npools: [{name: default, kind: image, path: ROOM/pool, provisioning: thin, ratio: 10, lowWater: 15%, reserve: 10%}]\n";

/// A driver in a process, and its clients.
struct Driver {
    process: Process,
    controller: ControllerClient<Channel>,
    node: NodeClient<Channel>,
}

/// Something that writes to a volume until it is told to stop, and counts what it knows to be on the disk.
struct Writer {
    stop: Arc<AtomicBool>,
    synced: Arc<AtomicU64>,
    thread: JoinHandle<std::io::Result<()>>,
}

/// Thaws a volume when the test fails: nobody could end its writers otherwise.
struct Safety(PathBuf);

// === impl Safety ===

impl Drop for Safety {
    fn drop(&mut self) {
        if thread::panicking() {
            drop(Command::new("fsfreeze").arg("--unfreeze").arg(&self.0).status());
        }
    }
}

// === impl Driver ===

impl Driver {
    async fn start(room: &Path, config: &str) -> Self {
        Self::start_with(room, config, &[]).await
    }

    /// Starts one that dies at the point of this name.
    async fn start_to_die(room: &Path, point: &str) -> Self {
        Self::start_with(room, CONFIG, &[("ORLOP_KILL_AT", point)]).await
    }

    async fn start_with(room: &Path, config: &str, variables: &[(&str, &str)]) -> Self {
        let config = config.replace("ROOM", &room.display().to_string());
        let process = Process::start(room, &config, variables);
        let channel = connect(process.socket.clone()).await;
        let (controller, node) = (ControllerClient::new(channel.clone()), NodeClient::new(channel));
        Self { process, controller, node }
    }

    async fn publish(&mut self, room: &Path, name: &str, fs: &str) -> (String, PathBuf) {
        let capability = requests::file_system(fs, Mode::SingleNodeWriter);
        let request = v1::CreateVolumeRequest {
            volume_capabilities: vec![capability.clone()],
            capacity_range: at_least(4096 * requests::MIB),
            ..create(name)
        };
        let made = self.controller.create_volume(request).await.unwrap().into_inner();
        let id = made.volume.unwrap().volume_id;
        let staging = new_dir(room, &format!("staging {name}"));
        let target = room.join(format!("target {name}"));
        let volume_capability = Some(capability.clone());
        let request =
            v1::NodeStageVolumeRequest { volume_capability, ..stage(&id, &text(&staging)) };
        self.node.node_stage_volume(request).await.unwrap();
        let request = v1::NodePublishVolumeRequest {
            volume_capability: Some(capability),
            ..publish(&id, &text(&staging), &text(&target))
        };
        self.node.node_publish_volume(request).await.unwrap();
        (id, target)
    }

    async fn unpublish(&mut self, room: &Path, name: &str, id: &str) {
        let target = text(&room.join(format!("target {name}")));
        self.node.node_unpublish_volume(unpublish(id, &target)).await.unwrap();
        let staging = text(&room.join(format!("staging {name}")));
        self.node.node_unstage_volume(unstage(id, &staging)).await.unwrap();
    }

    /// Waits until it has died.
    async fn died(mut self) {
        let dead = self.process.ends_within(Duration::from_mins(1)).await;
        assert!(dead, "{}", self.process.said());
    }

    async fn health(&mut self, id: &str) -> Vec<(Status, String)> {
        let request =
            v1::ControllerGetVolumeHealthRequest { volume_id: id.to_owned(), ..<_>::default() };
        let answer = self.controller.controller_get_volume_health(request).await.unwrap();
        let statuses = answer.into_inner().volume_health.unwrap().health_statuses;
        statuses.into_iter().map(|one| (one.status(), one.reason)).collect()
    }

    async fn until(&mut self, id: &str, expected: &[(Status, String)]) {
        let begin = Instant::now();
        loop {
            let found = self.health(id).await;
            if found == expected {
                return;
            }
            assert!(begin.elapsed() < Duration::from_mins(1), "{found:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn paused() -> Vec<(Status, String)> {
    vec![(Status::Inaccessible, "PoolFull".to_owned())]
}

// === impl Writer ===

impl Writer {
    /// Writes pieces that tell their number, and waits for each to be on the disk, or only for the page cache.
    fn start(file: &Path, syncs: bool) -> Self {
        let (stop, synced) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let thread = {
            let (file, stop, synced) = (file.to_owned(), Arc::clone(&stop), Arc::clone(&synced));
            thread::spawn(move || {
                let mut file = File::create(file)?;
                while !stop.load(Ordering::SeqCst) {
                    let number = synced.load(Ordering::SeqCst);
                    file.write_all(&piece(number))?;
                    if syncs {
                        file.sync_data()?;
                    }
                    synced.store(number + 1, Ordering::SeqCst);
                }
                file.sync_all()
            })
        };
        Self { stop, synced, thread }
    }

    fn pieces(&self) -> u64 {
        self.synced.load(Ordering::SeqCst)
    }

    /// Stops it, and returns how many pieces it has written without an error.
    fn stop(self) -> u64 {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().unwrap().unwrap();
        self.synced.load(Ordering::SeqCst)
    }
}

fn piece(number: u64) -> Vec<u8> {
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes().repeat(PIECE / 8)
}

fn check(file: &Path, pieces: u64) {
    let file = File::open(file).unwrap();
    let mut found = vec![0; PIECE];
    for number in 0..pieces {
        file.read_exact_at(&mut found, number * PIECE as u64).unwrap();
        assert!(found == piece(number), "piece {number} of {pieces} is not what was written");
    }
}

/// Has a pod write 64 MiB at once, of which the kernel lets through half a one in a second: who freezes the volume
/// meanwhile waits for all of it. Returns the way to let it all through, and the writer.
async fn write_for_two_minutes(pod: &Pod, file: &Path) -> (impl FnOnce() + use<>, Fio) {
    let device = DeviceNumber::from(fs::metadata(file.parent().unwrap()).unwrap().dev());
    let limit = move |groups: &[Group], limits| {
        for group in groups {
            group.limit(device, limits).unwrap();
        }
    };
    let groups = pod.groups();
    limit(&groups, IoMax { write_bytes: NonZeroU64::new(MIB / 2), ..IoMax::default() });
    let once = ["--rw=write", "--bs=64M", "--size=64M", "--ioengine=psync", "--fallocate=none"];
    let written = || {
        let counted = fs::read_to_string(format!("/sys/dev/block/{device}/stat")).unwrap();
        counted.split_whitespace().nth(6).unwrap().parse::<u64>().unwrap() * 512
    };
    let before = written();
    let fio = pod.fio("app", file, &once);
    while written() < before + MIB {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (move || limit(&groups, IoMax::default()), fio)
}

fn free(pool: &Path) -> u64 {
    statvfs::usage(pool).unwrap().available_bytes
}

/// A pool with room is looked at once a second, and `fill` takes more at once than anybody can write in that time.
const BETWEEN_LOOKS: Duration = Duration::from_millis(1200);

/// Takes the pool's room but for so many bytes, and returns what takes it. The driver has seen it by then.
fn fill(pool: &Path, leave: u64) -> PathBuf {
    let filler = new_dir(pool, "filler");
    while free(pool) > leave + MIB {
        let name = fs::read_dir(&filler).unwrap().count().to_string();
        let file = File::create(filler.join(name)).unwrap();
        allocate(&file, (free(pool) - leave).min(1024 * MIB)).unwrap();
    }
    thread::sleep(BETWEEN_LOOKS);
    filler
}

fn empty(filler: &Path) {
    for file in fs::read_dir(filler).unwrap() {
        File::create(file.unwrap().path()).unwrap();
    }
    fs::remove_dir_all(filler).unwrap();
}

/// Waits until each of them has written three pieces more than it had then.
async fn go_on<const N: usize>(writers: [&Writer; N], before: [u64; N], when: &str) {
    let begin = Instant::now();
    while writers.iter().zip(before).any(|(writer, before)| writer.pieces() < before + 3) {
        assert!(begin.elapsed() < Duration::from_secs(30), "{when}: nobody goes on");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn stands_still<const N: usize>(writers: [&Writer; N]) {
    // What was being written when its file system was frozen may have been counted a moment later.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let before = writers.map(Writer::pieces);
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(writers.map(Writer::pieces), before);
}

fn writers_wait_and_lose_nothing(fs: &str) {
    in_mount_namespace();
    let ground = Ground::new();
    let (room, pool) = (ground.path(), ground.path().join("pool"));
    block_on(async {
        let mut driver = Driver::start(room, CONFIG).await;
        let (id, target) = driver.publish(room, "written", fs).await;
        let (idle, idle_target) = driver.publish(room, "idle", fs).await;
        let safety = [Safety(target.clone()), Safety(idle_target)];
        let filler = fill(&pool, RESERVE + 160 * MIB);
        let writers = [("synced", true), ("cached", false)]
            .map(|(name, syncs)| Writer::start(&target.join(name), syncs));

        driver.until(&id, &paused()).await;
        stands_still([&writers[0], &writers[1]]).await;
        let event = driver.process.said();
        let event = event.lines().find(|line| line.contains("mounted volumes are paused"));
        eprintln!("{fs}: {} MiB of the pool are free: {event:?}", free(&pool) / MIB);
        assert!(free(&pool) > 64 * MIB, "{} are free", free(&pool));
        assert!(driver.process.said().contains("its mounted volumes are paused"));
        assert_eq!(driver.health(&idle).await, paused());

        // A driver that was killed, and one that was asked to stop, leave them paused.
        driver.process.kill();
        stands_still([&writers[0], &writers[1]]).await;
        let mut driver = Driver::start(room, CONFIG).await;
        assert_eq!(driver.health(&id).await, paused());
        stands_still([&writers[0], &writers[1]]).await;
        assert!(driver.process.stop().success());
        stands_still([&writers[0], &writers[1]]).await;
        let mut driver = Driver::start(room, CONFIG).await;

        // One that nobody writes to can be given up, and cannot be begun with.
        driver.unpublish(room, "idle", &idle).await;
        let capability = requests::file_system(fs, Mode::SingleNodeWriter);
        let again = v1::NodeStageVolumeRequest {
            volume_capability: Some(capability),
            ..stage(&idle, &text(&room.join("staging idle")))
        };
        let refused = driver.node.node_stage_volume(again.clone()).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition, "{refused:?}");
        stands_still([&writers[0], &writers[1]]).await;

        // With room again they go on by themselves.
        let before = [&writers[0], &writers[1]].map(Writer::pieces);
        empty(&filler);
        driver.until(&id, &[]).await;
        go_on([&writers[0], &writers[1]], before, "there is room again").await;
        let written = writers.map(Writer::stop);
        drop(safety);
        driver.unpublish(room, "written", &id).await;
        driver.node.node_stage_volume(again).await.unwrap();
        let staging = text(&room.join("staging idle"));
        driver.node.node_unstage_volume(unstage(&idle, &staging)).await.unwrap();

        // From the disk, and not from the page cache.
        let capability = requests::file_system(fs, Mode::SingleNodeWriter);
        let staging = text(&room.join("staging written"));
        let request = v1::NodeStageVolumeRequest {
            volume_capability: Some(capability),
            ..stage(&id, &staging)
        };
        driver.node.node_stage_volume(request).await.unwrap();
        check(&Path::new(&staging).join("synced"), written[0]);
        check(&Path::new(&staging).join("cached"), written[1]);
        driver.node.node_unstage_volume(unstage(&id, &staging)).await.unwrap();
        for id in [id, idle] {
            driver.controller.delete_volume(delete(&id)).await.unwrap();
        }
        assert!(driver.process.stop().success());
    });
    assert_eq!(loops_below(&pool), Vec::<String>::new());
}

/// > When a thin pool runs full, its mounted volumes wait, and go on by themselves when there is room: no writer sees
/// > an error, and nothing that was written is lost.
#[test]
fn writers_of_an_xfs_wait_and_lose_nothing() {
    writers_wait_and_lose_nothing("xfs");
}

#[test]
fn writers_of_an_ext4_wait_and_lose_nothing() {
    writers_wait_and_lose_nothing("ext4");
}

#[test]
fn writers_of_a_btrfs_wait_and_lose_nothing() {
    writers_wait_and_lose_nothing("btrfs");
}

/// The driver dies at a step of a pause or of its end; the next one finds what has to be.
fn a_kill_is_finished_by_the_next_driver(fs: &str) {
    in_mount_namespace();
    let ground = Ground::new();
    let (room, pool) = (ground.path(), ground.path().join("pool"));
    block_on(async {
        for point in ["pause: marked", "pause: frozen", "resume: thawed"] {
            let mut driver = Driver::start_to_die(room, point).await;
            let (id, target) = driver.publish(room, point, fs).await;
            let safety = Safety(target.clone());
            let filler = fill(&pool, RESERVE + 160 * MIB);
            let writer = Writer::start(&target.join("words"), true);
            if point == "resume: thawed" {
                driver.until(&id, &paused()).await;
                empty(&filler);
                driver.died().await;
            } else {
                driver.died().await;
                let mut driver = Driver::start(room, CONFIG).await;
                driver.until(&id, &paused()).await;
                stands_still([&writer]).await;
                driver.process.kill();
                empty(&filler);
            }
            let mut driver = Driver::start(room, CONFIG).await;
            driver.until(&id, &[]).await;
            go_on([&writer], [writer.pieces()], point).await;
            let written = writer.stop();
            check(&target.join("words"), written);
            drop(safety);
            driver.unpublish(room, point, &id).await;
            driver.controller.delete_volume(delete(&id)).await.unwrap();
            assert!(driver.process.stop().success());
        }
    });
    assert_eq!(loops_below(&pool), Vec::<String>::new());
}

#[test]
fn a_kill_in_a_pause_of_an_xfs_is_finished_by_the_next_driver() {
    a_kill_is_finished_by_the_next_driver("xfs");
}

#[test]
fn a_kill_in_a_pause_of_an_ext4_is_finished_by_the_next_driver() {
    a_kill_is_finished_by_the_next_driver("ext4");
}

/// The way out for somebody who has more disk.
#[test]
fn a_pool_that_has_grown_lets_what_was_paused_go_on() {
    in_mount_namespace();
    let ground = Ground::new();
    let room = ground.path();
    let config = |size: &str| {
        CONFIG.replace("path: ROOM/pool", &format!("file: ROOM/grows.img, size: {size}"))
    };
    block_on(async {
        let mut driver = Driver::start(room, &config("5Gi")).await;
        let (id, target) = driver.publish(room, "one", "xfs").await;
        let safety = Safety(target.clone());
        let pool = room.join("state/mounts/default");
        let filler = fill(&pool, 800 * MIB);
        let writer = Writer::start(&target.join("words"), true);
        driver.until(&id, &paused()).await;
        stands_still([&writer]).await;
        assert!(driver.process.stop().success());
        let mut driver = Driver::start(room, &config("8Gi")).await;
        driver.until(&id, &[]).await;
        go_on([&writer], [writer.pieces()], "the pool has grown").await;
        let written = writer.stop();
        check(&target.join("words"), written);
        drop(safety);
        driver.unpublish(room, "one", &id).await;
        empty(&filler);
        driver.controller.delete_volume(delete(&id)).await.unwrap();
        assert!(driver.process.stop().success());
        rustix::mount::unmount(&pool, rustix::mount::UnmountFlags::empty()).unwrap();
    });
}

/// The way out for somebody who would rather have errors.
#[test]
fn a_start_that_is_told_to_fail_lets_what_was_paused_go_on() {
    in_mount_namespace();
    let ground = Ground::new();
    let (room, pool) = (ground.path(), ground.path().join("pool"));
    block_on(async {
        let mut driver = Driver::start(room, CONFIG).await;
        let (id, target) = driver.publish(room, "one", "xfs").await;
        let _safety = Safety(target.clone());
        // The ballast, which the driver may still be filling, makes no difference to that.
        let filler = fill(&pool, RESERVE / 2);
        driver.until(&id, &paused()).await;
        driver.process.kill();
        let fails = CONFIG.replace("ratio: 10", "ratio: 10, whenFull: fail");
        let mut driver = Driver::start(room, &fails).await;
        let found = driver.health(&id).await;
        assert_eq!(found, [(Status::Degraded, "PoolFull".to_owned())]);
        fs::write(target.join("words"), "written").unwrap();
        driver.unpublish(room, "one", &id).await;
        empty(&filler);
        driver.controller.delete_volume(delete(&id)).await.unwrap();
        assert!(driver.process.stop().success());
    });
}

/// > A volume that cannot be frozen at once keeps no other one waiting.
#[test]
fn a_write_that_takes_minutes_keeps_no_other_volume_waiting() {
    in_mount_namespace();
    let ground = Ground::new();
    let (room, pool) = (ground.path(), ground.path().join("pool"));
    let pod = Pod::start();
    block_on(async {
        let mut driver = Driver::start(room, CONFIG).await;
        let (slow, slow_target) = driver.publish(room, "slow", "xfs").await;
        let (quick, quick_target) = driver.publish(room, "quick", "xfs").await;
        let safety = [Safety(slow_target.clone()), Safety(quick_target.clone())];
        let began = Instant::now();
        let (let_through, fio) = write_for_two_minutes(&pod, &slow_target.join("data")).await;
        let filler = fill(&pool, RESERVE + 160 * MIB);
        let writer = Writer::start(&quick_target.join("cached"), false);

        driver.until(&quick, &paused()).await;
        stands_still([&writer]).await;
        let before = [writer.pieces()];
        empty(&filler);
        driver.until(&quick, &[]).await;
        go_on([&writer], before, "there is room again").await;
        let took = began.elapsed();
        assert!(took < Duration::from_secs(90), "the write of the other was waited for: {took:?}");

        // It is not left frozen by who has come too late for the pause.
        let_through();
        drop(fio);
        driver.until(&slow, &[]).await;
        File::create(slow_target.join("more")).unwrap().write_all(&piece(7)).unwrap();
        writer.stop();
        drop(safety);
        for (name, id) in [("slow", slow), ("quick", quick)] {
            driver.unpublish(room, name, &id).await;
            driver.controller.delete_volume(delete(&id)).await.unwrap();
        }
        assert!(driver.process.stop().success());
    });
    assert_eq!(loops_below(&pool), Vec::<String>::new());
}
