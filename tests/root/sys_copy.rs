//! Copies that share their bytes, and where the bytes lie.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use orlop::sys::extents::{self, Extent, Extents};
use orlop::sys::reflink::{
    allocate, clone_range, copy_extents, pieces, punch_hole, supports_reflink,
};
use orlop::sys::statvfs;
use rustix::io::Errno;

use crate::support::{MIB, TempPool, in_mount_namespace};

fn new_file(dir: &Path, name: &str) -> File {
    File::options().read(true).write(true).create_new(true).open(dir.join(name)).unwrap()
}

/// A file of 1 MiB with different bytes in each block.
fn data(dir: &Path, name: &str) -> File {
    let file = new_file(dir, name);
    for block in 0..256_u64 {
        file.write_all_at(&[u8::try_from(block).unwrap(); 4096], block * 4096).unwrap();
    }
    file.sync_all().unwrap();
    file
}

fn bytes(file: &File) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(file.metadata().unwrap().len()).unwrap()];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

fn extents_of(file: &File) -> Vec<Extent> {
    Extents::synced(file).collect::<Result<_, _>>().unwrap()
}

#[test]
fn a_clone_shares_its_bytes_until_one_is_written() {
    in_mount_namespace();
    let pool = TempPool::new();
    assert!(supports_reflink(&pool.path()).unwrap());
    let (src, dst) = (data(&pool.path(), "src"), new_file(&pool.path(), "dst"));
    dst.set_len(MIB).unwrap();
    for (offset, len) in [(0, MIB / 2), (MIB / 2, MIB / 4), (MIB * 3 / 4, MIB / 4)] {
        clone_range(&src, &dst, offset, len).unwrap();
    }
    assert!(bytes(&src) == bytes(&dst));
    let (mut of_src, of_dst) = (extents_of(&src), extents_of(&dst));
    // XFS gives a file that grows more than it asks for.
    of_src.retain(|extent| extent.logical < MIB);
    assert!(of_src.iter().chain(&of_dst).all(|extent| extent.is_shared() && extent.has_place()));
    assert_eq!(of_src[0].physical, of_dst[0].physical);

    dst.write_all_at(b"changed", 0).unwrap();
    assert_eq!(bytes(&src)[..7], [0; 7]);
    assert_ne!(extents_of(&src)[0].physical, extents_of(&dst)[0].physical);
}

#[test]
fn a_piece_of_nothing_is_nothing() {
    in_mount_namespace();
    let pool = TempPool::new();
    let (src, dst) = (data(&pool.path(), "src"), new_file(&pool.path(), "dst"));
    clone_range(&src, &dst, 0, 0).unwrap();
    assert_eq!(dst.metadata().unwrap().len(), 0);
    for (offset, len) in pieces(MIB) {
        clone_range(&src, &dst, offset, len).unwrap();
    }
    assert!(bytes(&src) == bytes(&dst));
}

#[test]
fn across_file_systems_extents_are_copied() {
    in_mount_namespace();
    let pool = TempPool::new();
    let src = data(&pool.path(), "src");
    src.set_len(4 * MIB).unwrap();
    let dst = new_file(pool.outside(), "dst");
    assert_eq!(clone_range(&src, &dst, 0, MIB).unwrap_err().errno(), Some(Errno::XDEV));
    assert_eq!(copy_extents(&src, &dst).unwrap(), MIB);
    assert!(bytes(&src) == bytes(&dst));
    dst.sync_all().unwrap();
    assert!(extents::allocated(&dst).unwrap() <= MIB);
}

#[test]
fn extents_come_in_batches_and_are_all_there() {
    in_mount_namespace();
    let pool = TempPool::new();
    let file = new_file(&pool.path(), "file");
    file.set_len(32 * MIB).unwrap();
    // Every second block: no two extents can be one.
    for block in (0..6000).step_by(2) {
        file.write_all_at(&[1; 4096], block * 4096).unwrap();
    }
    let extents = extents_of(&file);
    assert_eq!(extents.len(), 3000);
    assert_eq!(extents::count(&file).unwrap(), 3000);
    assert_eq!(extents::allocated(&file).unwrap(), 3000 * 4096);
    let places = extents.iter().map(|extent| (extent.logical, extent.length));
    assert!(places.eq((0..6000).step_by(2).map(|block| (block * 4096, 4096))));

    let empty = new_file(&pool.path(), "empty");
    assert_eq!(extents_of(&empty), []);
    assert_eq!(extents::count(&empty).unwrap(), 0);
}

#[test]
fn allocated_space_is_unwritten_and_can_be_given_back() {
    in_mount_namespace();
    let pool = TempPool::new();
    let file = new_file(&pool.path(), "file");
    allocate(&file, 8 * MIB).unwrap();
    assert!(extents_of(&file).iter().all(Extent::is_unwritten));
    assert_eq!(extents::allocated(&file).unwrap(), 8 * MIB);
    let used = || statvfs::usage(&pool.path()).unwrap().used_bytes;
    let before = used();
    punch_hole(&file, MIB, 4 * MIB).unwrap();
    assert_eq!(before - used(), 4 * MIB);
    let places: Vec<_> = extents_of(&file).iter().map(|one| (one.logical, one.end())).collect();
    assert_eq!(places, [(0, MIB), (5 * MIB, 8 * MIB)]);

    let too_much = allocate(&file, 4096 * MIB).unwrap_err();
    assert!(too_much.is_no_space(), "{too_much}");
}
