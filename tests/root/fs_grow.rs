//! Growing to the device's size: the mounted ones by what the kernel knows of the mount alone.

use std::fs::File;

use orlop::fs::grow::{fills, mounted, unmounted_ext4};
use orlop::fs::{self, Error, Format, least_size};
use orlop::sys::capability::{self, Capability};
use orlop::sys::{loopdev, statvfs};
use orlop::volume::FsType;

use crate::support::{Image, MIB, TempPool, block_on, in_mount_namespace, new_dir, no_lock};

fn smallest(pool: &TempPool, fs: FsType) -> Image {
    let image = Image::create(&pool.path(), fs.as_str(), least_size(fs).0);
    block_on(fs::format(image.path(), no_lock(), Format { fs, uuid: None, thin: true })).unwrap();
    image
}

fn lengthen(image: &Image, length: u64) {
    File::options().write(true).open(image.path()).unwrap().set_len(length).unwrap();
}

#[test]
fn a_mounted_one_grows_to_its_device() {
    in_mount_namespace();
    let pool = TempPool::of_size(1024 * MIB);
    for fs in FsType::ALL {
        let image = smallest(&pool, fs);
        let at = new_dir(pool.outside(), fs.as_str());
        let device = image.attach().device;
        let guard = image.mount(fs.as_str(), &at);
        lengthen(&image, 2048 * MIB);
        loopdev::set_capacity(&device).unwrap();
        if fs == FsType::Ext4 && !capability::has(Capability::SysResource).unwrap() {
            let error = mounted(&at, fs).unwrap_err();
            assert!(matches!(error, Error::MayNotGrow { .. }), "{error}");
            continue;
        }
        mounted(&at, fs).unwrap();
        mounted(&at, fs).unwrap();
        let total = statvfs::usage(&at).unwrap().total_bytes;
        assert!(total > 1900 * MIB, "{fs} has {total}");
        // Until then it may be in the log alone.
        drop(guard);
        assert!(fills(image.path(), fs).unwrap(), "{fs}");
    }
}

#[test]
fn the_smallest_ext4_grows_unmounted_and_again() {
    in_mount_namespace();
    let pool = TempPool::of_size(1024 * MIB);
    let image = smallest(&pool, FsType::Ext4);
    assert!(fills(image.path(), FsType::Ext4).unwrap());
    let at = new_dir(pool.outside(), "at");
    // Written to since the last full check, of which there was none: it grows all the same.
    let mounted = image.mount("ext4", &at);
    std::fs::write(at.join("file"), "kept").unwrap();
    drop(mounted);
    assert!(loopdev::detach_image(image.path()).unwrap());
    lengthen(&image, 4096 * MIB);
    assert!(!fills(image.path(), FsType::Ext4).unwrap());
    for _ in 0..2 {
        block_on(unmounted_ext4(image.path(), no_lock())).unwrap();
        assert!(fills(image.path(), FsType::Ext4).unwrap());
    }
    let _mounted = image.mount("ext4", &at);
    // There is nothing to do, which needs no capability.
    fs::grow::mounted(&at, FsType::Ext4).unwrap();
    assert!(statvfs::usage(&at).unwrap().total_bytes > 3900 * MIB);
    assert_eq!(std::fs::read_to_string(at.join("file")).unwrap(), "kept");
}
