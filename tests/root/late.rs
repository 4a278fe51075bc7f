//! A disk that is missing keeps its own pool from being served, and no other.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use orlop::csi::v1;
use orlop::csi::v1::controller_client::ControllerClient;
use orlop::csi::v1::node_client::NodeClient;
use orlop::sys::{loopdev, mount};
use tonic::Code;

use crate::driver::{connect, text};
use crate::hung;
use crate::process::Process;
use crate::requests::{create, delete, snapshot, stage, unstage};
use crate::rig::Ground;
use crate::support::{Image, Mounted, WRITABLE, block_on, in_mount_namespace, new_dir};

fn in_pool(name: &str, pool: &str) -> v1::CreateVolumeRequest {
    let parameters = [("pool".to_owned(), pool.to_owned())].into();
    v1::CreateVolumeRequest { parameters, ..create(name) }
}

/// > A pool whose disk is missing at the start keeps no other pool from being served, and is served when the disk is
/// > there.
#[test]
fn the_others_are_served_until_a_missing_disk_is_there_again() {
    in_mount_namespace();
    let ground = Ground::new();
    let at = |name: &str| ground.path().join(name);
    let image = Image::create(ground.path(), "device.img", 2 << 30);
    let device = image.attach().device.path;
    symlink(&device, at("disk")).unwrap();
    fs::create_dir(at("staging")).unwrap();
    let config = format!(
        "pools:\n- {{name: lost, kind: image, device: {}}}\n- {{name: kept, kind: image, path: {}}}\n",
        at("disk").display(),
        at("pool").display()
    );
    let staging = text(&at("staging"));
    let driver = Process::start(ground.path(), &config, &[]);
    let (lost, kept) = block_on(async {
        let mut controller = ControllerClient::new(connect(driver.socket.clone()).await);
        let mut ids = Vec::new();
        for pool in ["lost", "kept"] {
            let made = controller.create_volume(in_pool(pool, pool)).await.unwrap().into_inner();
            ids.push(made.volume.unwrap().volume_id);
        }
        (ids.remove(0), ids.remove(0))
    });
    assert!(driver.stop().success());
    mount::unmount(&at("state/mounts/lost")).unwrap();
    fs::remove_file(at("disk")).unwrap();

    let driver = Process::start(ground.path(), &config, &[]);
    block_on(async {
        let channel = connect(driver.socket.clone()).await;
        let (mut controller, mut node) =
            (ControllerClient::new(channel.clone()), NodeClient::new(channel));
        // All of it for the one, and nothing wrong is said of the other.
        node.node_stage_volume(stage(&kept, &staging)).await.unwrap();
        node.node_unstage_volume(unstage(&kept, &staging)).await.unwrap();
        controller.create_snapshot(snapshot("cut", &kept)).await.unwrap();
        controller.create_volume(in_pool("more", "kept")).await.unwrap();
        let all = controller.list_volumes(v1::ListVolumesRequest::default()).await.unwrap();
        assert_eq!(all.into_inner().entries.len(), 2);
        let told = |status: tonic::Status, code| {
            assert_eq!(status.code(), code, "{status:?}");
            assert!(status.message().contains("pool lost is not there"), "{status:?}");
        };
        let refused = controller.create_volume(in_pool("new", "lost")).await.unwrap_err();
        told(refused, Code::ResourceExhausted);
        let refused = controller.delete_volume(delete(&lost)).await.unwrap_err();
        told(refused, Code::FailedPrecondition);
        let refused = node.node_stage_volume(stage(&lost, &staging)).await.unwrap_err();
        told(refused, Code::FailedPrecondition);
        node.node_unstage_volume(unstage(&lost, &staging)).await.unwrap();
        let parameters = [("pool".to_owned(), "lost".to_owned())].into();
        let asked = v1::GetCapacityRequest { parameters, ..Default::default() };
        let room = controller.get_capacity(asked).await.unwrap().into_inner();
        assert_eq!(room.available_capacity, 0);
        let health = node.node_get_storage_health(v1::NodeGetStorageHealthRequest::default());
        let health = health.await.unwrap().into_inner().backend_health;
        assert_eq!(health[0].reason, "PoolUnreachable");

        symlink(&device, at("disk")).unwrap();
        let began = Instant::now();
        while let Err(status) = node.node_stage_volume(stage(&lost, &staging)).await {
            told(status, Code::FailedPrecondition);
            assert!(began.elapsed() < Duration::from_secs(20));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        node.node_unstage_volume(unstage(&lost, &staging)).await.unwrap();
        controller.delete_volume(delete(&lost)).await.unwrap();
        controller.delete_volume(delete(&kept)).await.unwrap();
    });
    assert!(driver.stop().success());
    mount::unmount(&at("state/mounts/lost")).unwrap();
}

/// > A pool whose disk does not answer at the start keeps no other pool from being served, and is served when the disk
/// > answers.
#[test]
fn the_others_are_served_while_a_disk_does_not_answer() {
    in_mount_namespace();
    let room = tempfile::tempdir().unwrap();
    let ground = Ground::new();
    let image = Image::formatted(room.path(), "pool.img", 1 << 30, "xfs");
    let disk = hung::Disk::of(image.path(), &new_dir(room.path(), "fuse"));
    let device = loopdev::attach(&disk.path(), WRITABLE).unwrap();
    let hung = new_dir(room.path(), "pool");
    let mounted = Mounted::filesystem("xfs", &device.device.path, &hung);
    let kept = ground.path().join("pool");
    let config = format!(
        "pools:\n- {{name: hung, kind: image, path: {}}}\n- {{name: kept, kind: image, path: {}}}\n",
        hung.display(),
        kept.display()
    );
    disk.gate.shut();
    let driver = Process::start(room.path(), &config, &[]);
    block_on(async {
        let mut controller = ControllerClient::new(connect(driver.socket.clone()).await);
        let refused = controller.create_volume(in_pool("new", "hung")).await.unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
        assert!(refused.message().contains("has not answered for"), "{refused:?}");
        let mut ids = Vec::new();
        let made = controller.create_volume(in_pool("served", "kept")).await.unwrap();
        ids.push(made.into_inner().volume.unwrap().volume_id);

        disk.gate.open();
        let began = Instant::now();
        let made = loop {
            match controller.create_volume(in_pool("new", "hung")).await {
                Ok(made) => break made,
                Err(status) => assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}"),
            }
            assert!(began.elapsed() < Duration::from_secs(20));
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        ids.push(made.into_inner().volume.unwrap().volume_id);
        for id in ids {
            controller.delete_volume(delete(&id)).await.unwrap();
        }
    });
    assert!(driver.stop().success());
    drop(mounted);
    loopdev::detach(&device.device).unwrap();
    drop(device);
    drop(disk);
}

/// A blank disk in the place of the pool's, or nothing where its file was, is not a new pool.
///
/// > A blank disk in the place of a pool's is not made a new pool.
#[test]
fn what_was_a_pool_is_not_made_anew_on_another_disk() {
    use crate::image_support::{Disk, Own, block};
    use orlop::backend::Backend;
    use orlop::backend::image::{Place, Provisioning};
    use orlop::error::Error;
    use orlop::volume::Bytes;

    let disk = Disk::new();
    let first = Image::create(disk.outside(), "first.img", 1 << 30);
    let second = Image::create(disk.outside(), "second.img", 1 << 30);
    let (name, file) = (disk.outside().join("disk-by-name"), disk.outside().join("pool.img"));
    symlink(first.attach().device.path, &name).unwrap();
    let places =
        [Place::Device(name.clone()), Place::File { path: file.clone(), size: Bytes::gib(1) }];
    for place in places {
        let own = Own::new(&disk, place, Provisioning::Thick);
        disk.run_with(own.settings.clone(), async |pool| drop(pool.create(&block("x")).await));
        own.unmount();
        fs::remove_file(&name).unwrap();
        symlink(second.attach().device.path, &name).unwrap();
        if file.exists() {
            fs::rename(&file, disk.outside().join("moved.img")).unwrap();
        }
        let opened = disk.block_on(orlop::backend::image::ImagePool::open(own.settings.clone()));
        let Err(Error::Absent { why, .. }) = opened else { panic!("{opened:?}") };
        assert!(why.contains("Is it the right disk?"), "{why}");
        let mut block = [1; 4096];
        std::io::Read::read_exact(&mut fs::File::open(second.path()).unwrap(), &mut block).unwrap();
        assert_eq!(block, [0; 4096]);
        assert!(!file.exists());
    }
}
