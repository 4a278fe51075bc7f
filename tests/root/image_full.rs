//! A pool that is filled to the last byte: nothing new, but everything in it can still be let go.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use orlop::backend::Backend;
use orlop::backend::image::{ImagePool, read_only};
use orlop::error::Error;
use orlop::sys::beneath::Dir;
use orlop::volume::{AccessMode, Attachment, Bytes, Name, NewSnapshot, SnapshotId, VolumeId};
use rustix::fs::{FallocateFlags, fallocate};

use crate::image_support::{Disk, block, unfit};
use crate::requests;
use crate::rig::with_rig;

/// Fills the file system below the path until not even one more block can be had.
fn fill(at: &Path) {
    let file = File::options().create(true).append(true).open(at.join("filler")).unwrap();
    for size in [1 << 30, 1 << 26, 1 << 22, 1 << 18, 1 << 14, 4096] {
        let mut end = file.metadata().unwrap().len();
        while fallocate(&file, FallocateFlags::empty(), end, size).is_ok() {
            end += size;
        }
    }
    for number in 0.. {
        let small = File::create(at.join(format!("small-{number}")));
        if small.and_then(|mut file| file.write_all(&[1; 4096])).is_err() {
            break;
        }
    }
    assert!(fs::create_dir(at.join("one-more")).is_err());
}

fn ballast(pool: &Path) -> u64 {
    fs::metadata(pool.join("ballast")).map_or(0, |metadata| metadata.len())
}

async fn has_ballast(pool: &Path) {
    for _ in 0..300 {
        if ballast(pool) == 64 << 20 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the ballast has {} bytes", ballast(pool));
}

fn attached() -> [Attachment; 1] {
    [Attachment { node: "n1".into(), read_only: false, mode: AccessMode::SingleNodeWriter }]
}

/// A directory on the pool's disk, for what fills it.
fn beside(disk: &Disk) -> std::path::PathBuf {
    let filled = disk.outside().join("disk/filled");
    fs::create_dir(&filled).unwrap();
    filled
}

/// Makes so many volumes that their names in the trash need a block of their own.
async fn many(pool: &ImagePool) -> Vec<VolumeId> {
    let mut ids = Vec::new();
    for number in 0..20 {
        let wanted = block(&format!("one of many {number}"));
        pool.create(&wanted).await.unwrap();
        ids.push(wanted.id);
    }
    ids
}

#[test]
fn a_record_write_takes_the_ballast_and_it_is_filled_again() {
    let disk = Disk::with(1 << 30, "xfs");
    disk.run(async |pool| {
        let volume = block("attached");
        pool.create(&volume).await.unwrap();
        has_ballast(&disk.pool()).await;
        let filled = beside(&disk);
        fill(&filled);
        pool.set_attachments(&volume.id, &attached()).await.unwrap();
        assert_eq!(ballast(&disk.pool()), 0);
        assert_eq!(pool.find(&volume.id).await.unwrap().unwrap().attachments, attached());

        fs::remove_dir_all(&filled).unwrap();
        pool.delete(&volume.id).await.unwrap();
        has_ballast(&disk.pool()).await;
    });
}

#[test]
fn one_can_delete_ones_way_out_of_a_full_pool() {
    let disk = Disk::with(1 << 30, "xfs");
    disk.run(async |pool| {
        let others = many(&pool).await;
        has_ballast(&disk.pool()).await;
        let filled = beside(&disk);
        fill(&filled);
        assert_eq!(pool.capacity(block("x").content).await.unwrap().available, Bytes::ZERO);
        let refused = pool.create(&block("another")).await;
        assert!(matches!(refused, Err(Error::Exhausted { .. })), "{refused:?}");
        for other in &others {
            pool.delete(other).await.unwrap();
        }
        pool.settled().await;

        fs::remove_dir_all(&filled).unwrap();
        has_ballast(&disk.pool()).await;
        pool.create(&block("another")).await.unwrap();
    });
}

/// Writers are quicker than we are: what the ballast gave is gone before it is used.
#[test]
fn a_full_pool_without_its_ballast_lets_everything_go_all_the_same() {
    let disk = Disk::with(1 << 30, "xfs");
    let volume = block("attached");
    disk.run(async |pool| {
        pool.create(&volume).await.unwrap();
        let image = disk.pool().join(format!("volumes/{}/data.img", volume.id));
        fs::write(&image, vec![7; 16 << 20]).unwrap();
        let name = Name::parse("cut").unwrap();
        let cut = NewSnapshot { id: SnapshotId::of(&name), name, source: volume.id.clone() };
        pool.snapshots().unwrap().cut(&cut).await.unwrap();
        let others = many(&pool).await;
        has_ballast(&disk.pool()).await;
        let filled = beside(&disk);
        fill(&filled);
        pool.set_attachments(&volume.id, &attached()).await.unwrap();
        assert_eq!(ballast(&disk.pool()), 0);
        fill(&filled);

        // Any number of times: the spare is never used up.
        for wanted in [&attached()[..], &[], &attached(), &[]] {
            pool.set_attachments(&volume.id, wanted).await.unwrap();
            assert_eq!(pool.find(&volume.id).await.unwrap().unwrap().attachments, wanted);
        }
        assert_eq!(ballast(&disk.pool()), 0);
        for other in others.iter().chain([&volume.id]) {
            assert!(pool.delete(other).await.unwrap().is_made());
            assert!(!pool.delete(other).await.unwrap().is_made());
            assert_eq!(pool.find(other).await.unwrap(), None);
        }
        // All of its blocks are the snapshot's, too: that the volume went gave no space.
        pool.snapshots().unwrap().delete(&cut.id).await.unwrap();
        pool.settled().await;
        for kind in ["volumes", "snapshots", "trash"] {
            assert_eq!(fs::read_dir(disk.pool().join(kind)).unwrap().count(), 0, "{kind}");
        }
        fs::remove_dir_all(&filled).unwrap();
        has_ballast(&disk.pool()).await;
        pool.create(&volume).await.unwrap();
    });
}

/// A driver was killed between the mark and the end of a delete.
///
/// > What was deleted is never there again, whenever the driver was killed.
#[test]
fn what_has_ceased_is_never_real_again() {
    let disk = Disk::new();
    let (gone, kept) = (block("gone"), block("kept"));
    let available = disk.run(async |pool| {
        pool.create(&kept).await.unwrap();
        let available = pool.capacity(gone.content).await.unwrap().available;
        pool.create(&gone).await.unwrap();
        available
    });
    let dir = disk.pool().join(format!("volumes/{}", gone.id));
    for left in ["all", "no image", "no record", "nothing"] {
        Dir::open(&dir).unwrap().mark().unwrap();
        match left {
            "all" => {}
            "no image" => fs::remove_file(dir.join("data.img")).unwrap(),
            "no record" => fs::remove_file(dir.join("volume.json")).unwrap(),
            _ => {
                fs::remove_file(dir.join("data.img")).unwrap();
                fs::remove_file(dir.join("volume.json")).unwrap();
            }
        }
        let settings = disk.thin();
        let listing = disk.block_on(read_only::volumes(&settings)).unwrap();
        assert_eq!((listing.readable.len(), listing.damaged), (1, vec![]), "{left}");
        disk.run(async |pool| {
            assert!(!dir.exists(), "{left}");
            assert_eq!(pool.damaged(), []);
            assert_eq!(pool.find(&gone.id).await.unwrap(), None);
            assert_eq!(pool.capacity(gone.content).await.unwrap().available, available, "{left}");
            pool.create(&gone).await.unwrap();
        });
    }
    // Without the mark the same is damage, and stays.
    fs::remove_file(dir.join("volume.json")).unwrap();
    disk.run(async |pool| {
        assert!(unfit(pool.find(&gone.id).await).contains("does not exist"));
        assert!(dir.join("data.img").exists());
    });
}

/// The whole way that an orchestrator takes a pod's volume away.
///
/// > A pool without one free block lets everything go: volumes are unpublished, unstaged, detached and deleted.
#[test]
fn unpublish_unstage_detach_and_delete_work_on_a_full_pool() {
    with_rig(|mut rig| async {
        let id = rig.create(requests::create("full")).await;
        let attach = requests::attach(&id, crate::driver::NODE);
        rig.driver.controller.controller_publish_volume(attach.clone()).await.unwrap();
        let target = rig.publish(&id, &requests::mount()).await;
        has_ballast(&rig.pool_dir()).await;
        let filled = rig.pool_dir().join("filled");
        fs::create_dir(&filled).unwrap();
        fill(&filled);
        let detach = requests::detach(&id, crate::driver::NODE);
        for round in 0..2 {
            rig.driver.controller.controller_unpublish_volume(detach.clone()).await.unwrap();
            rig.driver.controller.controller_publish_volume(attach.clone()).await.unwrap();
            assert_eq!(ballast(&rig.pool_dir()), 0, "{round}");
            fill(&filled);
        }
        // The pod's own writes end with the pool's space; its end does not depend on them.
        let written = fs::write(target.join("file"), vec![1; 64 << 20]);
        let synced = written.and_then(|()| File::open(target.join("file"))?.sync_all());
        assert!(synced.is_err());
        rig.unpublish(&id).await;
        rig.driver.controller.controller_unpublish_volume(detach).await.unwrap();
        rig.delete(&id).await;
        rig.pool.settled().await;
        fs::remove_dir_all(&filled).unwrap();
        rig
    });
}
