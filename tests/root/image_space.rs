//! Space: never promised twice, never the reason why nothing works any more.

use std::fs::File;
use std::io::{Read, Write};

use orlop::backend::image::{ImagePool, Place, Provisioning, Settings};
use orlop::backend::{Backend, Local};
use orlop::error::Error;
use orlop::sys::beneath::Dir;
use orlop::volume::{Bytes, Content, Name, NewSnapshot, NewVolume, SnapshotId};

use crate::image_support::{Disk, Own, block, wish, xfs};

const PIECE: Bytes = Bytes::mib(100);

fn overdraws(disk: &Disk, settings: Settings) {
    disk.run_with(settings, async |pool| {
        let available = pool.capacity(Content::Block).await.unwrap().available;
        let creates = (0..100).map(|number| {
            let wanted = wish(&format!("piece {number}"), Content::Block, PIECE);
            let pool = pool.clone();
            tokio::spawn(async move { pool.create(&wanted).await })
        });
        let mut made = 0;
        for create in creates.collect::<Vec<_>>() {
            match create.await.unwrap() {
                Ok(_) => made += 1,
                Err(Error::Exhausted { asked, free, .. }) => {
                    assert!(asked == PIECE && free < PIECE, "{asked} {free}");
                }
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!(made, available.0 / PIECE.0);
        let left = pool.capacity(Content::Block).await.unwrap().available;
        assert_eq!(left.0, available.0 - made * PIECE.0);
    });
}

/// > A hundred calls at once never promise more than a thick pool has.
#[test]
fn a_hundred_creates_at_once_never_overdraw_a_thick_pool() {
    let disk = Disk::new();
    overdraws(&disk, disk.thick());
}

/// > A hundred calls at once never promise more than a thin pool may.
#[test]
fn a_hundred_creates_at_once_never_overdraw_a_thin_pool() {
    let disk = Disk::new();
    overdraws(&disk, disk.thin());
}

/// Writes every byte of the raw volume, through its device.
async fn write_all(pool: &ImagePool, wanted: &NewVolume, byte: u8) {
    let device = pool.attach(&wanted.id).await.unwrap().device.path;
    let mut file = File::options().write(true).open(&device).unwrap();
    let piece = vec![byte; 1 << 20];
    for _ in 0..wanted.size.0 >> 20 {
        file.write_all(&piece).unwrap();
    }
    file.sync_all().unwrap();
    drop(file);
    pool.detach(&wanted.id).await.unwrap();
}

/// > Every byte that a thick pool has promised can be written, also after snapshots.
#[test]
fn every_byte_that_a_thick_pool_has_promised_can_be_written() {
    let disk = Disk::new();
    let place = Place::File { path: disk.outside().join("pool.img"), size: Bytes::gib(1) };
    let own = Own::new(&disk, place, Provisioning::Thick);
    disk.run_with(own.settings.clone(), async |pool| {
        let available = pool.capacity(Content::Block).await.unwrap().available;
        let size = Bytes(available.0 / 2).round_down(1 << 20);
        let wanted = wish("all", Content::Block, size);
        pool.create(&wanted).await.unwrap();
        write_all(&pool, &wanted, 1).await;
        let name = Name::parse("cut").unwrap();
        let cut = NewSnapshot { id: SnapshotId::of(&name), name, source: wanted.id.clone() };
        pool.snapshots().unwrap().cut(&cut).await.unwrap();
        assert!(pool.capacity(Content::Block).await.unwrap().available < Bytes::mib(3));
        // Now every write needs a new block, whatever was allocated before.
        write_all(&pool, &wanted, 2).await;
        let image = own.root().join(format!("snapshots/{}/data.img", cut.id));
        let mut first = [0];
        File::open(image).unwrap().read_exact(&mut first).unwrap();
        assert_eq!(first, [1]);
    });
}

/// > The space of a deleted volume is promised to nobody until its blocks are free.
#[test]
fn what_is_being_removed_counts_until_its_blocks_are_free() {
    let disk = Disk::new();
    let wanted = xfs("removed");
    let available = async |disk: &Disk, pool: &ImagePool| {
        assert!(disk.pool().exists());
        pool.capacity(wanted.content).await.unwrap().available
    };
    let before = disk.run(async |pool| {
        let before = available(&disk, &pool).await;
        pool.create(&wanted).await.unwrap();
        before
    });
    // A driver was killed behind the first step of a delete, and a program of its lives on.
    let (volumes, trash) = (disk.pool().join("volumes"), disk.pool().join("trash"));
    let grave = trash.join(format!("{}.0", wanted.id));
    std::fs::rename(volumes.join(wanted.id.as_str()), &grave).unwrap();
    let program = Dir::open(&grave).unwrap().try_lock().unwrap().unwrap();
    disk.run(async |pool| {
        assert_eq!(pool.find(&wanted.id).await.unwrap(), None);
        assert_eq!(available(&disk, &pool).await, before.less(wanted.size));
        assert!(grave.join("data.img").exists());
    });
    drop(program);
    disk.run(async |pool| {
        pool.settled().await;
        assert_eq!(available(&disk, &pool).await, before);
        assert!(!grave.exists());
    });
}

#[test]
fn what_was_being_built_is_removed_at_the_next_start() {
    let disk = Disk::new();
    disk.run(async |_| {});
    let wanted = block("half");
    let new = disk.pool().join("new").join(wanted.id.as_str());
    std::fs::create_dir(&new).unwrap();
    File::create(new.join("data.img")).unwrap().set_len(1 << 20).unwrap();
    disk.run(async |pool| {
        pool.create(&wanted).await.unwrap();
        pool.settled().await;
        assert_eq!(std::fs::read_dir(disk.pool().join("new")).unwrap().count(), 0);
        assert_eq!(pool.find(&wanted.id).await.unwrap().unwrap().size, wanted.size);
    });
}

#[test]
fn a_delete_that_failed_behind_its_rename_can_be_repeated() {
    let disk = Disk::new();
    let wanted = block("buried");
    disk.run(async |pool| {
        let before = pool.capacity(wanted.content).await.unwrap().available;
        pool.create(&wanted).await.unwrap();
        let grave = disk.pool().join(format!("trash/{}.0", wanted.id));
        std::fs::rename(disk.pool().join(format!("volumes/{}", wanted.id)), &grave).unwrap();
        assert!(pool.delete(&wanted.id).await.unwrap().is_made());
        assert!(!pool.delete(&wanted.id).await.unwrap().is_made());
        pool.settled().await;
        assert!(!grave.exists());
        assert_eq!(pool.find(&wanted.id).await.unwrap(), None);
        assert_eq!(pool.capacity(wanted.content).await.unwrap().available, before);
    });
}
