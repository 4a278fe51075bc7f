//! A file system's UUID is changed, read back, and not believed to be changed.

use std::fs::File;
use std::os::unix::fs::FileExt;

use orlop::fs::{self, Error, Format, has_uuid, read_uuid, set_uuid};
use orlop::sys::loopdev;
use orlop::sys::reflink::clone_range;
use orlop::volume::FsType;
use uuid::Uuid;

use crate::support::{Image, MIB, TempPool, block_on, in_mount_namespace, new_dir, no_lock};

const SIZE: u64 = 400 * MIB;

/// Returns an image with its UUID.
fn formatted(pool: &TempPool, fs: FsType) -> (Image, Uuid) {
    let uuid = Uuid::new_v4();
    let image = Image::create(&pool.path(), fs.as_str(), SIZE);
    let wish = Format { fs, uuid: Some(uuid), thin: true };
    block_on(fs::format(image.path(), no_lock(), wish)).unwrap();
    (image, uuid)
}

#[test]
fn each_takes_a_new_one_and_keeps_its_content() {
    in_mount_namespace();
    let pool = TempPool::of_size(1024 * MIB);
    for fs in FsType::ALL {
        let (new, (image, old)) = (Uuid::new_v4(), formatted(&pool, fs));
        let at = new_dir(pool.outside(), fs.as_str());
        let mounted = image.mount(fs.as_str(), &at);
        std::fs::write(at.join("file"), "kept").unwrap();
        drop(mounted);
        assert!(loopdev::detach_image(image.path()).unwrap());
        assert_eq!(read_uuid(image.path(), fs).unwrap(), old);
        for _ in 0..2 {
            block_on(set_uuid(image.path(), fs, new, no_lock())).unwrap();
            assert!(has_uuid(image.path(), fs, new).unwrap(), "{fs}");
        }
        let _mounted = image.mount(fs.as_str(), &at);
        assert_eq!(std::fs::read_to_string(at.join("file")).unwrap(), "kept", "{fs}");
    }
}

#[test]
fn an_xfs_with_a_dirty_log_is_found_unchanged() {
    in_mount_namespace();
    let pool = TempPool::of_size(1024 * MIB);
    let (new, (image, old)) = (Uuid::new_v4(), formatted(&pool, FsType::Xfs));
    let at = new_dir(pool.outside(), "at");
    let _mounted = image.mount("xfs", &at);
    std::fs::write(at.join("file"), "").unwrap();
    File::open(at.join("file")).unwrap().sync_all().unwrap();
    let copy = Image::create(&pool.path(), "copy", SIZE);
    let open = |image: &Image| File::options().read(true).write(true).open(image.path()).unwrap();
    clone_range(&open(&image), &open(&copy), 0, SIZE).unwrap();
    let error = block_on(set_uuid(copy.path(), FsType::Xfs, new, no_lock())).unwrap_err();
    assert!(matches!(error, Error::UuidUnchanged { found, .. } if found == old), "{error}");
}

#[test]
fn a_change_that_was_cut_off_is_not_taken_for_done() {
    in_mount_namespace();
    let pool = TempPool::of_size(1024 * MIB);
    let (new, (image, _)) = (Uuid::new_v4(), formatted(&pool, FsType::Xfs));
    let file = File::options().read(true).write(true).open(image.path()).unwrap();
    let last = SIZE / 4 * 3;
    let mut block = vec![0; 4096];
    file.read_exact_at(&mut block, last).unwrap();
    assert_eq!(block[..4], *b"XFSB");
    block_on(set_uuid(image.path(), FsType::Xfs, new, no_lock())).unwrap();
    file.write_all_at(&block, last).unwrap();
    assert_eq!(read_uuid(image.path(), FsType::Xfs).unwrap(), new);
    assert!(!has_uuid(image.path(), FsType::Xfs, new).unwrap());
    block_on(set_uuid(image.path(), FsType::Xfs, new, no_lock())).unwrap();
    assert!(has_uuid(image.path(), FsType::Xfs, new).unwrap());
}

#[test]
fn another_file_system_is_not_touched() {
    in_mount_namespace();
    let pool = TempPool::of_size(1024 * MIB);
    let (new, (image, old)) = (Uuid::new_v4(), formatted(&pool, FsType::Ext4));
    for fs in [FsType::Xfs, FsType::Btrfs] {
        let error = block_on(set_uuid(image.path(), fs, new, no_lock())).unwrap_err();
        assert!(matches!(error, Error::Foreign { .. }), "{error}");
    }
    assert_eq!(read_uuid(image.path(), FsType::Ext4).unwrap(), old);
}
