//! Volumes become devices and cease to be.

use std::path::PathBuf;

use orlop::backend::{Backend, Local};
use orlop::error::Error;
use orlop::sys::block;
use orlop::volume::{AccessMode, Attachment, BlockSize, Bytes, Content, FsType, NewVolume};

use crate::image_support::{Disk, block, ext4, wish, xfs};
use crate::support::{Mounted, new_dir};

/// > A volume leaves no loop device behind when it is unstaged.
#[test]
fn each_content_can_be_used_and_leaves_no_device() {
    let disk = Disk::new();
    disk.run(async |pool| {
        for fs in FsType::ALL {
            let wanted = wish("used", Content::FileSystem(fs), Bytes::mib(320));
            pool.create(&wanted).await.unwrap();
            let attached = pool.attach(&wanted.id).await.unwrap();
            assert_eq!(block::logical_block_size(&attached.device.path).unwrap(), 4096);
            let at = new_dir(disk.outside(), fs.as_str());
            let mounted = Mounted::filesystem(fs.as_str(), &attached.device.path, &at);
            std::fs::write(at.join("file"), "content").unwrap();
            assert_eq!(pool.attached(&wanted.id).await.unwrap(), Some(attached.device.clone()));
            drop(attached);
            let again = pool.attach(&wanted.id).await.unwrap();
            assert_eq!(pool.attached(&wanted.id).await.unwrap(), Some(again.device.clone()));
            drop(again);
            for answer in [pool.detach(&wanted.id).await, pool.delete(&wanted.id).await] {
                let Err(Error::InUse { by, .. }) = answer else { panic!("{answer:?}") };
                assert!(by.contains(at.to_str().unwrap()), "{by}");
            }
            drop(mounted);
            pool.delete(&wanted.id).await.unwrap();
            assert_eq!(pool.attached(&wanted.id).await.unwrap(), None);
        }
    });
}

#[test]
fn a_raw_device_stays_until_it_is_detached() {
    Disk::new().run(async |pool| {
        let wanted = block("raw");
        pool.create(&wanted).await.unwrap();
        assert!(!pool.detach(&wanted.id).await.unwrap().is_made());
        let attached = pool.attach(&wanted.id).await.unwrap();
        let device = attached.device.clone();
        drop(attached);
        assert_eq!(pool.attached(&wanted.id).await.unwrap(), Some(device.clone()));
        let refused = pool.delete(&wanted.id).await;
        assert!(matches!(refused, Err(Error::InUse { .. })), "{refused:?}");
        let to =
            Attachment { node: "n7".into(), read_only: true, mode: AccessMode::SingleNodeWriter };
        pool.set_attachments(&wanted.id, &[to]).await.unwrap();
        let holders = pool.holders(&wanted.id).await.unwrap();
        assert!(holders[0].contains(device.path.to_str().unwrap()), "{holders:?}");
        assert_eq!(holders[1], "it is attached to node n7 by record");
        // For a pod that may only read, which holds it a little longer.
        block::set_read_only(&device.path, true).unwrap();
        let open = std::fs::File::open(&device.path).unwrap();
        let refused = pool.detach(&wanted.id).await;
        assert!(matches!(refused, Err(Error::InUse { .. })), "{refused:?}");
        let name = device.path.file_name().unwrap().to_str().unwrap();
        let refuses_writes =
            || std::fs::read_to_string(format!("/sys/block/{name}/ro")).unwrap().trim() == "1";
        assert!(refuses_writes());
        drop(open);
        pool.detach(&wanted.id).await.unwrap();
        assert_eq!(pool.attached(&wanted.id).await.unwrap(), None);
        // Whoever gets the device next may write.
        assert!(!refuses_writes());
        pool.delete(&wanted.id).await.unwrap();
    });
}

#[test]
fn a_device_that_refused_writes_takes_them_for_its_next_image() {
    let disk = Disk::new();
    disk.run(async |pool| {
        let (first, next) = (block("read"), ext4("written"));
        for wanted in [&first, &next] {
            pool.create(wanted).await.unwrap();
        }
        // As for a pod that may only read.
        let device = pool.attach(&first.id).await.unwrap().device;
        block::set_read_only(&device.path, true).unwrap();
        pool.detach(&first.id).await.unwrap();
        let attached = pool.attach(&next.id).await.unwrap();
        let at = new_dir(disk.outside(), "at");
        drop(Mounted::filesystem("ext4", &attached.device.path, &at));
    });
}

/// > An image is never behind two loop devices.
#[test]
fn never_are_there_two_devices_of_one_image() {
    Disk::new().run(async |pool| {
        let wanted = block("raced");
        pool.create(&wanted).await.unwrap();
        let attach = || {
            let (pool, id) = (pool.clone(), wanted.id.clone());
            tokio::spawn(async move {
                loop {
                    match pool.attach(&id).await {
                        Ok(attached) => return attached.device,
                        Err(Error::Pending { .. }) => tokio::task::yield_now().await,
                        Err(other) => panic!("{other:?}"),
                    }
                }
            })
        };
        let mut devices: Vec<PathBuf> = Vec::new();
        for task in (0..16).map(|_| attach()).collect::<Vec<_>>() {
            devices.push(task.await.unwrap().path);
        }
        devices.dedup();
        assert_eq!(devices.len(), 1, "{devices:?}");
        pool.detach(&wanted.id).await.unwrap();
        pool.delete(&wanted.id).await.unwrap();
    });
}

#[test]
fn a_block_size_of_512_is_had_on_request() {
    Disk::new().run(async |pool| {
        let wanted = NewVolume { block_size: BlockSize::B512, ..block("old") };
        pool.create(&wanted).await.unwrap();
        let attached = pool.attach(&wanted.id).await.unwrap();
        assert_eq!(block::logical_block_size(&attached.device.path).unwrap(), 512);
        drop(attached);
        pool.detach(&wanted.id).await.unwrap();
    });
}

/// > An image that lost its end is not attached.
#[test]
fn an_image_that_lost_its_end_is_not_attached() {
    let disk = Disk::new();
    disk.run(async |pool| {
        for wanted in [xfs("one"), ext4("two")] {
            pool.create(&wanted).await.unwrap();
            let image = disk.pool().join(format!("volumes/{}/data.img", wanted.id));
            let file = std::fs::File::options().write(true).open(image).unwrap();
            file.set_len(wanted.size.0 - 4096).unwrap();
            let refused = pool.attach(&wanted.id).await.unwrap_err();
            assert!(matches!(refused, Error::Unfit { .. }), "{refused}");
            assert!(refused.sentence().contains("has lost data"), "{refused}");
            assert!(pool.find(&wanted.id).await.unwrap().is_some());
        }
    });
}

/// Whoever is told to repair a file system needs what is there then: the image, and not its device.
#[test]
fn a_damaged_ext4_is_refused_by_the_name_of_its_image() {
    let disk = Disk::new();
    disk.run(async |pool| {
        let wanted = ext4("damaged");
        pool.create(&wanted).await.unwrap();
        let image = disk.pool().join(format!("volumes/{}/data.img", wanted.id));
        // The flag for errors, and inodes that make no sense.
        let debugfs = std::process::Command::new("debugfs")
            .args(["-w", "-f", "-"])
            .arg(&image)
            .stdin(std::process::Stdio::piped())
            .spawn();
        let mut debugfs = debugfs.unwrap();
        let commands = "set_super_value state 2\nset_inode_field <2> mode 0100644\n";
        std::io::Write::write_all(debugfs.stdin.as_mut().unwrap(), commands.as_bytes()).unwrap();
        drop(debugfs.stdin.take());
        assert!(debugfs.wait().unwrap().success());
        let refused = pool.attach(&wanted.id).await.unwrap_err();
        assert!(matches!(refused, Error::Unfit { .. }), "{refused:?}");
        let advice = format!("run `e2fsck -f {}`", image.display());
        assert!(refused.sentence().contains(&advice), "{}", refused.sentence());
        pool.delete(&wanted.id).await.unwrap();
    });
}

#[test]
fn an_ext4_that_is_used_out_of_sight_is_not_checked() {
    let disk = Disk::new();
    disk.run(async |pool| {
        let wanted = ext4("claimed");
        pool.create(&wanted).await.unwrap();
        let device = pool.attach(&wanted.id).await.unwrap();
        // As a mount in another namespace does.
        let flags = rustix::fs::OFlags::EXCL.bits().cast_signed();
        let mut exclusive = std::fs::File::options();
        std::os::unix::fs::OpenOptionsExt::custom_flags(exclusive.read(true), flags);
        let _claim = exclusive.open(&device.device.path).unwrap();
        let path = device.device.path.clone();
        drop(device);
        assert_eq!(pool.attach(&wanted.id).await.unwrap().device.path, path);
    });
}

#[test]
fn a_lock_on_an_image_stops_its_volume_alone() {
    let disk = Disk::new();
    disk.run(async |pool| {
        let (locked, free) = (block("locked"), block("free"));
        for wanted in [&locked, &free] {
            pool.create(wanted).await.unwrap();
        }
        let image = disk.pool().join(format!("volumes/{}/data.img", locked.id));
        let foreign = std::fs::File::open(image).unwrap();
        rustix::fs::flock(&foreign, rustix::fs::FlockOperation::LockExclusive).unwrap();
        let (refused, attached) = tokio::join!(pool.attach(&locked.id), async {
            let begin = std::time::Instant::now();
            let attached = pool.attach(&free.id).await;
            assert!(begin.elapsed() < std::time::Duration::from_secs(4));
            attached
        });
        let refused = refused.map(drop);
        assert!(matches!(refused, Err(orlop::error::Error::Pending { .. })), "{refused:?}");
        drop(attached.unwrap());
        drop(foreign);
        drop(pool.attach(&locked.id).await.unwrap());
    });
}
