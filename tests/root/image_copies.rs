//! Snapshots and copies: of one moment, of their own, and in need of nothing else.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use orlop::backend::image::{ImagePool, Settings};
use orlop::backend::{Backend, Local};
use orlop::error::Error;
use orlop::sys::beneath::{Dir, How};
use orlop::sys::freeze;
use orlop::sys::statvfs::usage;
use orlop::volume::{
    Bytes, Content, FsType, Name, NewSnapshot, NewVolume, SnapshotId, Source, VolumeId,
};

use crate::image_support::{Disk, block, copy_of, ext4, unfit, wish, xfs};
use crate::support::{Mounted, mount_at, new_dir};

const SIZE: Bytes = Bytes::mib(320);

fn cut_of(name: &str, source: &VolumeId) -> NewSnapshot {
    let name = Name::parse(name).unwrap();
    NewSnapshot { id: SnapshotId::of(&name), name, source: source.clone() }
}

/// Stages the volume and returns where.
async fn stage(disk: &Disk, pool: &ImagePool, wanted: &NewVolume) -> (Mounted, PathBuf) {
    let Content::FileSystem(fs) = wanted.content else { panic!("raw") };
    let at = disk.outside().join(format!("at-{}", wanted.id));
    if !at.exists() {
        new_dir(disk.outside(), at.file_name().unwrap().to_str().unwrap());
    }
    let attached = pool.attach(&wanted.id).await.unwrap();
    (Mounted::filesystem(fs.as_str(), &attached.device.path, &at), at)
}

fn write(at: &Path, text: &str) {
    std::fs::write(at.join("file"), text).unwrap();
}

fn read(at: &Path) -> String {
    std::fs::read_to_string(at.join("file")).unwrap()
}

/// > A copy can be mounted beside its source on one node: its file system has a UUID of its own, and fills its size.
#[test]
fn a_copy_of_a_mounted_volume_is_mounted_beside_it_and_fills_its_image() {
    let disk = Disk::new();
    disk.run(async |pool| {
        for fs in FsType::ALL {
            let source = wish(&format!("source {fs}"), Content::FileSystem(fs), SIZE);
            pool.create(&source).await.unwrap();
            let (mounted, at) = stage(&disk, &pool, &source).await;
            write(&at, "before");
            let cut = cut_of(&format!("cut {fs}"), &source.id);
            pool.snapshots().unwrap().cut(&cut).await.unwrap();
            write(&at, "after");
            let from_cut = Source::Snapshot(cut.id.clone());
            let restored =
                copy_of(&format!("restored {fs}"), from_cut, source.content, Bytes::mib(512));
            let from_source = Source::Volume(source.id.clone());
            let cloned = copy_of(&format!("cloned {fs}"), from_source, source.content, SIZE);
            for (copy, text) in [(&restored, "before"), (&cloned, "after")] {
                pool.create(copy).await.unwrap();
                let (_mounted, at) = stage(&disk, &pool, copy).await;
                assert_eq!(read(&at), text, "{fs}");
                let total = usage(&at).unwrap().total_bytes;
                assert!(total > copy.size.0 * 7 / 10, "{fs}: {total} of {}", copy.size);
            }
            write(&at, "still writable");
            drop(mounted);
            everything_goes(&pool, [&restored.id, &source.id, &cloned.id], &cut.id).await;
        }
    });
}

async fn everything_goes(pool: &Arc<ImagePool>, volumes: [&VolumeId; 3], cut: &SnapshotId) {
    for id in volumes {
        pool.delete(id).await.unwrap();
    }
    pool.snapshots().unwrap().delete(cut).await.unwrap();
}

/// Two files are written in turns, each number into the first and then into the second: one moment has the same number
/// in both, or one more in the first.
///
/// > A snapshot of a mounted file system is of one moment: what was written before it is in it, and nothing that was
/// > written after something that is missing.
#[test]
fn a_snapshot_of_a_volume_that_is_written_is_of_one_moment() {
    let disk = Disk::new();
    disk.run(async |pool| {
        for fs in FsType::ALL {
            let source = wish(&format!("written {fs}"), Content::FileSystem(fs), SIZE);
            pool.create(&source).await.unwrap();
            let (_mounted, at) = stage(&disk, &pool, &source).await;
            let done = Arc::new(AtomicBool::new(false));
            let writer = std::thread::spawn({
                let (at, done) = (at.clone(), done.clone());
                move || count_in_turns(&at, &done)
            });
            let mut last = 0;
            for round in 0..3 {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                let cut = cut_of(&format!("cut {fs} {round}"), &source.id);
                pool.snapshots().unwrap().cut(&cut).await.unwrap();
                let from = Source::Snapshot(cut.id);
                let copy = copy_of(&format!("copy {fs} {round}"), from, source.content, SIZE);
                pool.create(&copy).await.unwrap();
                let (_mounted, at) = stage(&disk, &pool, &copy).await;
                let (first, second) = (number(&at.join("first")), number(&at.join("second")));
                assert!(first == second || first == second + 1, "{fs}: {first} and {second}");
                assert!(second > last, "{fs}: {second} after {last}");
                last = first;
            }
            done.store(true, Ordering::Relaxed);
            writer.join().unwrap();
        }
    });
}

fn count_in_turns(at: &Path, done: &AtomicBool) {
    use std::os::unix::fs::FileExt;
    let files = ["first", "second"].map(|name| std::fs::File::create(at.join(name)).unwrap());
    for number in 1u64.. {
        for file in &files {
            file.write_all_at(&number.to_le_bytes(), 0).unwrap();
        }
        if done.load(Ordering::Relaxed) {
            return;
        }
    }
}

fn number(file: &Path) -> u64 {
    u64::from_le_bytes(std::fs::read(file).unwrap().try_into().unwrap())
}

/// XFS formatted for smaller blocks would not mount again after its first snapshot, for ever.
///
/// > A volume can be staged whatever became of its snapshots.
#[test]
fn a_volume_is_staged_again_after_its_snapshot_is_gone() {
    let disk = Disk::new();
    disk.run(async |pool| {
        for fs in FsType::ALL {
            let source = wish(&format!("again {fs}"), Content::FileSystem(fs), SIZE);
            pool.create(&source).await.unwrap();
            let (mounted, at) = stage(&disk, &pool, &source).await;
            write(&at, "kept");
            let cut = cut_of(&format!("cut {fs}"), &source.id);
            pool.snapshots().unwrap().cut(&cut).await.unwrap();
            drop(mounted);
            pool.snapshots().unwrap().delete(&cut.id).await.unwrap();
            pool.settled().await;
            let (_mounted, at) = stage(&disk, &pool, &source).await;
            assert_eq!(read(&at), "kept");
        }
    });
}

/// > A copy has all that its source had when it was made, and needs neither the source nor the snapshot from then on.
#[test]
fn a_copy_needs_nothing_of_what_it_was_made_from() {
    let disk = Disk::new();
    disk.run(async |pool| {
        let source = ext4("source");
        pool.create(&source).await.unwrap();
        let (mounted, at) = stage(&disk, &pool, &source).await;
        write(&at, "inherited");
        drop(mounted);
        let cut = cut_of("cut", &source.id);
        pool.snapshots().unwrap().cut(&cut).await.unwrap();
        let copy = copy_of("copy", Source::Snapshot(cut.id.clone()), source.content, source.size);
        pool.create(&copy).await.unwrap();
        pool.delete(&source.id).await.unwrap();
        pool.snapshots().unwrap().delete(&cut.id).await.unwrap();
        pool.settled().await;
        let (_mounted, at) = stage(&disk, &pool, &copy).await;
        assert_eq!(read(&at), "inherited");
        // A copy is a volume like any other, also as a source, and before it was ever mounted.
        let second = cut_of("second", &copy.id);
        pool.snapshots().unwrap().cut(&second).await.unwrap();
        let found = pool.snapshots().unwrap().list(None, 9).await.unwrap();
        assert_eq!(found.iter().map(|one| &one.source).collect::<Vec<_>>(), [&copy.id]);
    });
}

/// > Any number of copies of one source can be made at once.
#[test]
fn many_copies_of_one_source_are_made_at_once() {
    let disk = Disk::new();
    disk.run(async |pool| {
        let source = block("golden");
        pool.create(&source).await.unwrap();
        let cut = cut_of("cut", &source.id);
        pool.snapshots().unwrap().cut(&cut).await.unwrap();
        let copies = (0..24).map(|number| {
            let from = match number % 2 {
                0 => Source::Snapshot(cut.id.clone()),
                _ => Source::Volume(source.id.clone()),
            };
            let copy = copy_of(&format!("copy {number}"), from, source.content, source.size);
            let pool = pool.clone();
            tokio::spawn(async move { pool.create(&copy).await })
        });
        for copy in copies.collect::<Vec<_>>() {
            assert!(copy.await.unwrap().unwrap().is_made());
        }
    });
}

/// > A snapshot of a raw volume holds all that was written to the device before the call, as after a power cut.
#[test]
fn a_raw_volume_is_copied_while_it_is_a_device() {
    use std::os::unix::fs::FileExt;
    let disk = Disk::new();
    disk.run(async |pool| {
        let source = block("raw");
        pool.create(&source).await.unwrap();
        let device = pool.attach(&source.id).await.unwrap().device.path;
        let open = std::fs::File::options().read(true).write(true).open(&device).unwrap();
        open.write_all_at(&[7; 4096], 8192).unwrap();
        let cut = cut_of("cut", &source.id);
        pool.snapshots().unwrap().cut(&cut).await.unwrap();
        drop(open);
        let image = disk.pool().join(format!("snapshots/{}/data.img", cut.id));
        let mut found = [0; 4096];
        std::fs::File::open(image).unwrap().read_exact_at(&mut found, 8192).unwrap();
        assert_eq!(found, [7; 4096]);
        pool.detach(&source.id).await.unwrap();
    });
}

/// > What a killed driver left frozen is thawed at the next start, and nothing else is.
#[test]
fn a_volume_that_was_frozen_by_a_killed_driver_is_thawed_and_no_other() {
    let disk = Disk::new();
    let (ours, theirs) = (xfs("ours"), xfs("theirs"));
    let mounts = disk.run(async |pool| {
        let mut mounts = Vec::new();
        for wanted in [&ours, &theirs] {
            pool.create(wanted).await.unwrap();
            mounts.push(stage(&disk, &pool, wanted).await);
        }
        mounts
    });
    let frozen: Vec<_> =
        mounts.iter().map(|(_, at)| freeze::freeze(&mount_at(at)).unwrap()).collect();
    let home = Dir::open(&disk.pool().join(format!("volumes/{}", ours.id))).unwrap();
    home.open_file("frozen", How::CreateNew).unwrap();
    disk.run(async |_| {});
    assert!(!home.exists("frozen").unwrap());
    let thawed: Vec<_> = frozen.into_iter().map(|one| !one.thaw().unwrap()).collect();
    assert_eq!(thawed, [true, false]);
}

/// A frozen file system outlives its last mount, and would hold its device for ever.
#[test]
fn a_frozen_volume_whose_mounts_are_gone_is_thawed_and_lets_its_device_go() {
    let disk = Disk::new();
    for fs in FsType::ALL {
        let wanted = wish(&format!("hidden {fs}"), Content::FileSystem(fs), SIZE);
        disk.run(async |pool| {
            pool.create(&wanted).await.unwrap();
            let (_mounted, at) = stage(&disk, &pool, &wanted).await;
            write(&at, "kept");
            let home = Dir::open(&disk.pool().join(format!("volumes/{}", wanted.id))).unwrap();
            home.open_file("frozen", How::CreateNew).unwrap();
            let fsfreeze = std::process::Command::new("fsfreeze").arg("-f").arg(&at).status();
            assert!(fsfreeze.unwrap().success());
            nix::mount::umount2(&at, nix::mount::MntFlags::MNT_DETACH).unwrap();
            assert!(pool.attached(&wanted.id).await.unwrap().is_some());
        });
        disk.run(async |pool| {
            let home = disk.pool().join(format!("volumes/{}", wanted.id));
            assert!(!home.join("frozen").exists(), "{fs}");
            let (mounted, at) = stage(&disk, &pool, &wanted).await;
            assert_eq!(read(&at), "kept");
            write(&at, "and written to");
            drop(mounted);
            pool.delete(&wanted.id).await.unwrap();
        });
    }
}

/// > Where a pool cannot share blocks, only what nobody writes is copied; the rest is FAILED_PRECONDITION.
#[test]
fn without_reflink_only_what_nobody_writes_is_copied() {
    let disk = Disk::with(2 << 30, "ext4");
    disk.run(async |pool| {
        let source = ext4("source");
        pool.create(&source).await.unwrap();
        let (mounted, at) = stage(&disk, &pool, &source).await;
        write(&at, "copied");
        let cut = cut_of("cut", &source.id);
        assert!(
            unfit(pool.snapshots().unwrap().cut(&cut).await).contains("stop the pods that use it")
        );
        assert_eq!(pool.snapshots().unwrap().find(&cut.id).await.unwrap(), None);
        drop(mounted);
        pool.snapshots().unwrap().cut(&cut).await.unwrap();
        let copy = copy_of("copy", Source::Snapshot(cut.id.clone()), source.content, source.size);
        pool.create(&copy).await.unwrap();
        let (_mounted, at) = stage(&disk, &pool, &copy).await;
        assert_eq!(read(&at), "copied");
    });
}

#[test]
fn a_device_that_is_used_where_nobody_sees_it_is_not_copied() {
    let disk = Disk::new();
    disk.run(async |pool| {
        let source = ext4("hidden");
        pool.create(&source).await.unwrap();
        let attached = pool.attach(&source.id).await.unwrap();
        let open = std::fs::File::open(&attached.device.path).unwrap();
        drop(attached);
        let refused = pool.snapshots().unwrap().cut(&cut_of("cut", &source.id)).await;
        assert!(matches!(refused, Err(Error::InUse { .. })), "{refused:?}");
        drop(open);
        pool.snapshots().unwrap().cut(&cut_of("cut", &source.id)).await.unwrap();
    });
}

/// > A snapshot without room leaves nothing, and can be deleted.
#[test]
fn a_snapshot_without_room_leaves_nothing() {
    let disk = Disk::new();
    let tight =
        Settings { provisioning: orlop::backend::image::Provisioning::Thick, ..disk.thin() };
    disk.run_with(tight, async |pool| {
        let free = pool.capacity(Content::Block).await.unwrap().available;
        let source = wish("large", Content::Block, Bytes(free.0 / 2 + (1 << 20)).round_down(4096));
        pool.create(&source).await.unwrap();
        let refused = pool.snapshots().unwrap().cut(&cut_of("cut", &source.id)).await;
        assert!(matches!(refused, Err(Error::Exhausted { .. })), "{refused:?}");
        assert_eq!(std::fs::read_dir(disk.pool().join("new")).unwrap().count(), 0);
        assert_eq!(pool.snapshots().unwrap().list(None, 9).await.unwrap(), []);
    });
}

#[test]
fn what_is_deleted_just_before_it_is_copied_or_used_does_not_exist() {
    let disk = Disk::new();
    disk.run(async |pool| {
        let source = block("deleted");
        pool.create(&source).await.unwrap();
        let cut = cut_of("deleted, too", &source.id);
        pool.snapshots().unwrap().cut(&cut).await.unwrap();
        // As a delete does it, before it is known to anybody else.
        for name in [format!("volumes/{}", source.id), format!("snapshots/{}", cut.id)] {
            let path = disk.pool().join(name);
            std::fs::rename(&path, disk.pool().join("trash").join(path.file_name().unwrap()))
                .unwrap();
        }
        for from in [Source::Snapshot(cut.id), Source::Volume(source.id.clone())] {
            let refused = pool.create(&copy_of("copy", from, source.content, source.size)).await;
            assert!(matches!(refused, Err(Error::NotFound { .. })), "{refused:?}");
        }
        let refused = pool.attach(&source.id).await.map(drop);
        assert!(matches!(refused, Err(Error::NotFound { .. })), "{refused:?}");
    });
}

/// A power cut ends a pause and leaves its mark.
#[test]
fn the_mark_of_a_pause_that_is_over_does_not_outlive_the_next_attach() {
    let disk = Disk::new();
    disk.run(async |pool| {
        let wanted = ext4("went on");
        pool.create(&wanted).await.unwrap();
        let mark = disk.pool().join(format!("volumes/{}/paused", wanted.id));
        std::fs::write(&mark, "paused\n").unwrap();
        let (mounted, _) = stage(&disk, &pool, &wanted).await;
        assert!(!mark.exists());
        // What is mounted may be frozen, whoever attaches it once more.
        std::fs::write(&mark, "paused\n").unwrap();
        drop(pool.attach(&wanted.id).await.unwrap());
        assert!(mark.exists());
        drop(mounted);
    });
}
