//! Volumes grow: image, record, device and file system, in this order and whatever comes between.

use std::path::PathBuf;

use orlop::backend::{Backend, Local};
use orlop::error::Error;
use orlop::sys::statvfs::usage;
use orlop::sys::{block, grow};
use orlop::volume::{Bytes, Content, FsType, Name, NewSnapshot, NewVolume, SnapshotId, Source};

use crate::image_support::{Disk, copy_of, ext4, unfit, wish};
use crate::support::{Mounted, new_dir};

const LARGE: Bytes = Bytes::mib(512);

fn image(disk: &Disk, wanted: &NewVolume) -> PathBuf {
    disk.pool().join(format!("volumes/{}/data.img", wanted.id))
}

fn length(disk: &Disk, wanted: &NewVolume) -> Bytes {
    Bytes(std::fs::metadata(image(disk, wanted)).unwrap().len())
}

/// > A mounted volume grows under its pod.
#[test]
fn a_mounted_volume_grows_under_its_pod() {
    let disk = Disk::new();
    disk.run(async |pool| {
        let wanted = wish("grows", Content::FileSystem(FsType::Xfs), Bytes::mib(320));
        pool.create(&wanted).await.unwrap();
        let attached = pool.attach(&wanted.id).await.unwrap();
        let device = attached.device.path.clone();
        let at = new_dir(disk.outside(), "at");
        let _mounted = Mounted::filesystem("xfs", &device, &at);
        drop(attached);
        assert_eq!(pool.expand(&wanted.id, LARGE).await.unwrap().size, LARGE);
        assert_eq!(block::size(&device).unwrap(), wanted.size.0);
        assert_eq!(pool.grow_device(&wanted.id).await.unwrap(), LARGE);
        assert_eq!(block::size(&device).unwrap(), LARGE.0);
        assert!(grow::xfs(&at, LARGE.0).unwrap());
    });
}

#[test]
fn an_ext4_that_nobody_has_mounted_is_as_large_as_its_volume_when_it_is_next() {
    let disk = Disk::new();
    disk.run(async |pool| {
        let wanted = ext4("grows");
        pool.create(&wanted).await.unwrap();
        pool.expand(&wanted.id, LARGE).await.unwrap();
        let at = new_dir(disk.outside(), "at");
        for _ in 0..2 {
            let attached = pool.attach(&wanted.id).await.unwrap();
            let _mounted = Mounted::filesystem("ext4", &attached.device.path, &at);
            assert!(usage(&at).unwrap().total_bytes > LARGE.0 * 8 / 10);
        }
    });
}

#[test]
fn a_copy_grows_before_it_is_ever_mounted() {
    let disk = Disk::new();
    disk.run(async |pool| {
        for fs in FsType::ALL {
            let source = wish(&format!("of {fs}"), Content::FileSystem(fs), Bytes::mib(320));
            pool.create(&source).await.unwrap();
            // Its file system stays as it is until it is mounted, and so is the snapshot's.
            pool.expand(&source.id, Bytes::mib(400)).await.unwrap();
            let name = Name::parse(&format!("cut {fs}")).unwrap();
            let cut = NewSnapshot { id: SnapshotId::of(&name), name, source: source.id.clone() };
            pool.snapshots().unwrap().cut(&cut).await.unwrap();
            let from = Source::Snapshot(cut.id);
            let copy = copy_of(&format!("copy {fs}"), from, source.content, Bytes::mib(400));
            pool.create(&copy).await.unwrap();
            pool.expand(&copy.id, LARGE).await.unwrap();
            let at = new_dir(disk.outside(), fs.as_str());
            let attached = pool.attach(&copy.id).await.unwrap();
            let _mounted = Mounted::filesystem(fs.as_str(), &attached.device.path, &at);
            let total = usage(&at).unwrap().total_bytes;
            assert!(total > LARGE.0 * 7 / 10, "{fs}: {total}");
        }
    });
}

/// > An expand that was killed is finished by the next.
#[test]
fn an_expand_that_was_killed_is_finished_by_the_next() {
    let disk = Disk::new();
    let wanted = ext4("half");
    let (before, after) = disk.run(async |pool| {
        let before = pool.capacity(wanted.content).await.unwrap().available;
        pool.create(&wanted).await.unwrap();
        (before, pool.capacity(wanted.content).await.unwrap().available)
    });
    assert_eq!(after, before.less(wanted.size));
    let file = std::fs::File::options().write(true).open(image(&disk, &wanted)).unwrap();
    file.set_len(LARGE.0).unwrap();
    disk.run(async |pool| {
        // What it has is taken, whatever its record says.
        assert_eq!(pool.capacity(wanted.content).await.unwrap().available, before.less(LARGE));
        assert_eq!(pool.find(&wanted.id).await.unwrap().unwrap().size, wanted.size);
        drop(pool.attach(&wanted.id).await.unwrap());
        assert_eq!(pool.expand(&wanted.id, LARGE).await.unwrap().size, LARGE);
        assert_eq!(pool.capacity(wanted.content).await.unwrap().available, before.less(LARGE));
        pool.delete(&wanted.id).await.unwrap();
        pool.settled().await;
        assert_eq!(pool.capacity(wanted.content).await.unwrap().available, before);
    });
}

/// > An expand without room changes nothing.
#[test]
fn an_expand_without_room_changes_nothing() {
    let disk = Disk::new();
    for settings in [disk.thin(), disk.thick()] {
        disk.run_with(settings, async |pool| {
            let wanted = ext4("stays");
            pool.create(&wanted).await.unwrap();
            let refused = pool.expand(&wanted.id, Bytes::gib(20)).await;
            assert!(matches!(refused, Err(Error::Exhausted { .. })), "{refused:?}");
            assert_eq!(length(&disk, &wanted), wanted.size);
            assert_eq!(pool.find(&wanted.id).await.unwrap().unwrap().size, wanted.size);
            let volume = pool.expand(&wanted.id, Bytes::mib(8)).await.unwrap();
            assert_eq!((volume.size, length(&disk, &wanted)), (wanted.size, wanted.size));
        });
    }
}

#[test]
fn an_expand_that_was_killed_and_never_asked_for_again_is_taken_back() {
    let disk = Disk::new();
    let wanted = ext4("lowered");
    let before = disk.run(async |pool| {
        let before = pool.capacity(wanted.content).await.unwrap().available;
        pool.create(&wanted).await.unwrap();
        before
    });
    let file = std::fs::File::options().write(true).open(image(&disk, &wanted)).unwrap();
    file.set_len(LARGE.0).unwrap();
    disk.run(async |pool| {
        let attached = pool.attach(&wanted.id).await.unwrap();
        assert_eq!(block::size(&attached.device.path).unwrap(), wanted.size.0);
        assert_eq!(length(&disk, &wanted), wanted.size);
        let free = pool.capacity(wanted.content).await.unwrap().available;
        assert_eq!(free, before.less(wanted.size));
        // Once more, while it is mounted.
        let device = attached.device.path.clone();
        let _mounted = Mounted::filesystem("ext4", &device, &new_dir(disk.outside(), "at"));
        drop(attached);
        file.set_len(LARGE.0).unwrap();
        assert_eq!(pool.grow_device(&wanted.id).await.unwrap(), wanted.size);
        assert_eq!(block::size(&device).unwrap(), wanted.size.0);
    });
}

/// > Data behind the end that a record knows of is never cut off.
#[test]
fn data_that_no_record_knows_of_is_never_cut_off() {
    let disk = Disk::new();
    let wanted = ext4("restored");
    disk.run(async |pool| {
        pool.create(&wanted).await.unwrap();
        let file = std::fs::File::options().write(true).open(image(&disk, &wanted)).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, b"data", LARGE.0 - 4096).unwrap();
        let long = length(&disk, &wanted);
        let said = unfit(pool.attach(&wanted.id).await.map(drop));
        assert!(said.contains("more data than its record says"), "{said}");
        assert_eq!(length(&disk, &wanted), long);
        pool.expand(&wanted.id, LARGE).await.unwrap();
        drop(pool.attach(&wanted.id).await.unwrap());
    });
}

#[test]
fn an_expand_does_not_hide_that_data_is_lost() {
    let disk = Disk::new();
    let wanted = ext4("lost");
    disk.run(async |pool| {
        pool.create(&wanted).await.unwrap();
        let file = std::fs::File::options().write(true).open(image(&disk, &wanted)).unwrap();
        file.set_len(wanted.size.0 / 2).unwrap();
        let said = unfit(pool.expand(&wanted.id, LARGE).await);
        assert!(said.contains("has lost data"), "{said}");
        assert_eq!(length(&disk, &wanted).0, wanted.size.0 / 2);
    });
}

/// The record may be on the disk although that could not be waited for.
#[test]
fn an_expand_that_failed_behind_its_record_is_not_taken_back() {
    let disk = Disk::new();
    let wanted = ext4("unsure");
    disk.run(async |pool| {
        let before = pool.capacity(wanted.content).await.unwrap().available;
        pool.create(&wanted).await.unwrap();
        // What the failing write would leave: the new record, and an error.
        let record = image(&disk, &wanted).with_file_name("volume.json");
        let size = |bytes: Bytes| format!(r#""size": {}"#, bytes.0);
        let text = std::fs::read_to_string(&record).unwrap();
        assert!(text.contains(&size(wanted.size)), "{text}");
        std::fs::write(&record, text.replace(&size(wanted.size), &size(LARGE))).unwrap();
        let in_the_way = record.with_file_name(".volume.json.new");
        std::fs::create_dir(&in_the_way).unwrap();
        pool.expand(&wanted.id, LARGE).await.unwrap_err();
        std::fs::remove_dir(in_the_way).unwrap();

        assert_eq!(pool.find(&wanted.id).await.unwrap().unwrap().size, LARGE);
        drop(pool.attach(&wanted.id).await.unwrap());
        assert_eq!(length(&disk, &wanted), LARGE);
        assert_eq!(pool.capacity(wanted.content).await.unwrap().available, before.less(LARGE));
    });
}
