//! The figures of a pool are what its disk and its volumes really have.

use std::os::unix::fs::MetadataExt;

use orlop::backend::{Backend, Local, PoolFigures};
use orlop::sys::statvfs;
use orlop::volume::Bytes;

use crate::image_support::{Disk, block, ext4, xfs};

const ALL: usize = 10;

#[test]
fn the_figures_are_those_of_the_disk() {
    let disk = Disk::new();
    let root = disk.pool();
    disk.run(async |pool| {
        let wanted = [xfs("a"), ext4("b"), block("c")];
        for one in &wanted {
            pool.create(one).await.unwrap();
        }
        // What is written to an image is seen at once, whoever writes it.
        let image = |id: &str| root.join("volumes").join(id).join("data.img");
        let raw = image(wanted[2].id.as_str());
        std::fs::write(&raw, vec![1; 3 << 20]).unwrap();
        std::fs::File::open(&raw).unwrap().sync_all().unwrap();

        let figures = pool.figures(ALL).await.unwrap();
        let usage = statvfs::usage(&root).unwrap();
        assert_eq!((figures.kind, figures.provisioning), ("image", "thin"));
        assert_eq!(figures.capacity, Bytes(usage.total_bytes));
        assert_eq!(figures.promised, Bytes::mib(300 + 64 + 16));
        assert_eq!(figures.available, Bytes(2 * usage.total_bytes).less(figures.promised));
        assert_eq!(figures.promisable, Bytes(2 * usage.total_bytes));
        assert_eq!((figures.shared, figures.low), (false, false));
        // The ballast may still be being written.
        assert!(figures.used > Bytes::ZERO && figures.used <= figures.capacity);
        assert!(figures.free > Bytes::ZERO && figures.free < figures.capacity);
        assert_eq!((figures.volumes, figures.snapshots, figures.damaged), (3, 0, 0));
        for one in &figures.each {
            let image = std::fs::metadata(image(one.id.as_str())).unwrap();
            assert_eq!(one.used, Some(Bytes(image.blocks() * 512)), "{one:?}");
        }
        let raw = figures.each.iter().find(|one| one.id == wanted[2].id).unwrap();
        assert!(raw.used >= Some(Bytes::mib(3)), "{raw:?}");
    });
}

#[test]
fn as_many_volumes_are_shown_as_are_asked_for_and_damage_is_counted() {
    let disk = Disk::new();
    let root = disk.pool();
    disk.run(async |pool| {
        for name in ["a", "b", "c"] {
            pool.create(&block(name)).await.unwrap();
        }
        let shown = async |most| {
            let PoolFigures { each, volumes, .. } = pool.figures(most).await.unwrap();
            assert!(each.is_sorted_by_key(|one| one.id.clone()));
            (each.len(), volumes)
        };
        assert_eq!((shown(0).await, shown(2).await, shown(ALL).await), ((0, 3), (2, 3), (3, 3)));
        // An image that is gone has no figure, and is no reason for the others to have none.
        let gone = block("b").id;
        std::fs::remove_file(root.join("volumes").join(gone.as_str()).join("data.img")).unwrap();
        let figures = pool.figures(ALL).await.unwrap();
        let used: Vec<_> = figures.each.iter().map(|one| (one.id == gone, one.used)).collect();
        assert!(used.iter().all(|(is_gone, used)| *is_gone == used.is_none()), "{used:?}");
    });
}
