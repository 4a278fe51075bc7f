//! Health and statistics when something hangs: answered in time, with the hanging as the finding, and without a
//! thread for each call.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use orlop::backend::image::ImagePool;
use orlop::csi::v1;
use orlop::csi::v1::volume_capability::access_mode::Mode;
use orlop::csi::v1::{StorageHealthErrorType as Storage, VolumeHealthErrorType as Status};
use orlop::host::kernel::Kernel;
use orlop::sys::loopdev;

use crate::driver::{Driver, text};
use crate::health::{is, of_storage, of_volume};
use crate::hung::{Disk, Mute};
use crate::requests;
use crate::rig::{settings, with_rig};
use crate::support::{Image, Mounted, WRITABLE, in_mount_namespace, new_dir};

const IN_TIME: Duration = Duration::from_secs(2);

/// How many threads of this process wait for an answer.
fn asking() -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.trim() == "asking").count()
}

async fn in_time<T>(work: impl Future<Output = T>) -> T {
    let begin = Instant::now();
    let answer = work.await;
    assert!(begin.elapsed() < IN_TIME, "{:?}", begin.elapsed());
    answer
}

/// > Health and statistics are answered within two seconds, whatever hangs, and that it hangs is the finding.
#[test]
fn a_pool_whose_disk_hangs_is_unreachable_until_it_answers_again() {
    in_mount_namespace();
    let room = tempfile::tempdir().unwrap();
    let image = Image::formatted(room.path(), "pool.img", 1 << 30, "xfs");
    let disk = Disk::of(image.path(), &new_dir(room.path(), "fuse"));
    let device = loopdev::attach(&disk.path(), WRITABLE).unwrap();
    let mounted = Mounted::filesystem("xfs", &device.device.path, &new_dir(room.path(), "pool"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let pool = ImagePool::open(settings(room.path())).await.unwrap();
        let mut driver = Driver::start(pool, Arc::new(Kernel::default()), 0).await;
        let request = v1::CreateVolumeRequest {
            volume_capabilities: vec![requests::file_system("ext4", Mode::SingleNodeWriter)],
            capacity_range: requests::at_least(64 << 20),
            ..requests::create("hung")
        };
        let created = driver.controller.create_volume(request).await.unwrap().into_inner();
        let id = created.volume.unwrap().volume_id;
        let (staging, target) = (driver.staging("staging"), text(&driver.path("target")));
        let volume_capability = Some(requests::file_system("ext4", Mode::SingleNodeWriter));
        let stage =
            v1::NodeStageVolumeRequest { volume_capability, ..requests::stage(&id, &staging) };
        driver.node.node_stage_volume(stage.clone()).await.unwrap();
        let volume_capability = stage.volume_capability;
        let publish = v1::NodePublishVolumeRequest {
            volume_capability,
            ..requests::publish(&id, &staging, &target)
        };
        driver.node.node_publish_volume(publish).await.unwrap();
        assert_eq!(of_volume(&mut driver, &id).await, []);

        disk.gate.shut();
        let before = asking();
        let expected = is(Status::Inaccessible, "PoolUnreachable");
        let silent = [(Storage::StorageUnreachable, "PoolUnreachable".to_owned())];
        assert_eq!(in_time(of_storage(&mut driver)).await, silent);
        // The disk is remembered as being asked: from now on the answer comes at once.
        let begin = Instant::now();
        for _ in 0..50 {
            assert_eq!(of_volume(&mut driver, &id).await, expected);
        }
        assert!(begin.elapsed() < IN_TIME * 5, "{:?} for 150 calls", begin.elapsed());
        assert!(asking() <= before + 4, "{} threads ask, {before} did before", asking());
        let stats = v1::NodeGetVolumeStatsRequest {
            volume_id: id.clone(),
            volume_path: target.clone(),
            ..<_>::default()
        };
        for _ in 0..3 {
            // It may be answered from memory, or not at all; it is answered.
            drop(in_time(driver.node.node_get_volume_stats(stats.clone())).await);
        }

        disk.gate.open();
        let begin = Instant::now();
        while !of_storage(&mut driver).await.is_empty() {
            assert!(begin.elapsed() < Duration::from_secs(20));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(of_volume(&mut driver, &id).await, []);
        driver.node.node_get_volume_stats(stats).await.unwrap();
        driver.node.node_unpublish_volume(requests::unpublish(&id, &target)).await.unwrap();
        driver.node.node_unstage_volume(requests::unstage(&id, &staging)).await.unwrap();
        driver.controller.delete_volume(requests::delete(&id)).await.unwrap();
    });
    drop(runtime);
    drop(mounted);
    loopdev::detach(&device.device).unwrap();
    drop(device);
    drop(disk);
}

#[test]
fn a_file_system_that_does_not_answer_is_the_finding() {
    with_rig(async |mut rig| {
        let block = v1::CreateVolumeRequest {
            volume_capabilities: vec![requests::block()],
            ..requests::create("mute")
        };
        let id = rig.create(block).await;
        rig.publish(&id, &requests::block()).await;
        let image = rig.pool_dir().join("volumes").join(&id).join("data.img");
        let backing = loopdev::Backing::of(&image).unwrap();
        let device = loopdev::find(&backing).unwrap().remove(0);
        // As far as the mount table tells, the volume is mounted here.
        let at = new_dir(rig.driver.room.path(), "mute");
        let mute = Mute::at(&at, &device.path);
        assert_eq!(of_volume(&mut rig.driver, &id).await, []);
        mute.gate.shut();
        let before = asking();
        let expected = is(Status::Inaccessible, "FileSystemNotAnswering");
        for _ in 0..20 {
            let driver = &mut rig.driver;
            let request =
                v1::NodeGetVolumeHealthRequest { volume_id: id.clone(), ..<_>::default() };
            in_time(driver.node.node_get_volume_health(request)).await.unwrap();
        }
        assert_eq!(of_volume(&mut rig.driver, &id).await, expected);
        assert!(asking() <= before + 4);
        mute.gate.open();
        assert_eq!(of_volume(&mut rig.driver, &id).await, []);
        drop(mute);
        rig.unpublish(&id).await;
        rig.delete(&id).await;
        rig
    });
}
