//! Growing a file system while it is mounted.

use std::fs::File;
use std::path::Path;

use orlop::sys::capability::{self, Capability};
use orlop::sys::loopdev;
use orlop::sys::{Result, grow, statvfs};
use rustix::io::Errno;

use crate::support::{Image, MIB, in_mount_namespace, new_dir};

/// Doubles a mounted image, grows its file system twice and returns both answers.
fn doubled(fs: &str, grow: impl Fn(&Path, u64) -> Result<bool>) -> (Result<bool>, Result<bool>) {
    let dir = tempfile::tempdir().unwrap();
    let image = Image::formatted(dir.path(), "a.img", 512 * MIB, fs);
    let at = new_dir(dir.path(), "at");
    let device = image.attach().device;
    let _mounted = image.mount(fs, &at);
    let total = || statvfs::usage(&at).unwrap().total_bytes;
    let before = total();
    assert!(!grow(&at, 512 * MIB).is_ok_and(|grown| grown));
    File::options().write(true).open(image.path()).unwrap().set_len(1024 * MIB).unwrap();
    loopdev::set_capacity(&device).unwrap();
    let answers = (grow(&at, 1024 * MIB), grow(&at, 1024 * MIB));
    if answers.0.is_ok() {
        assert!(total() > before + 400 * MIB, "{} of {before}", total());
        std::fs::write(at.join("file"), "").unwrap();
    }
    answers
}

#[test]
fn xfs_grows_once() {
    in_mount_namespace();
    let (first, second) = doubled("xfs", grow::xfs);
    assert_eq!((first.unwrap(), second.unwrap()), (true, false));
}

#[test]
fn btrfs_grows_once() {
    in_mount_namespace();
    let (first, second) = doubled("btrfs", |at, _size| grow::btrfs(at));
    assert_eq!((first.unwrap(), second.unwrap()), (true, false));
}

#[test]
fn ext4_grows_if_we_may() {
    in_mount_namespace();
    let (first, second) = doubled("ext4", grow::ext4);
    if capability::has(Capability::SysResource).unwrap() {
        assert_eq!((first.unwrap(), second.unwrap()), (true, false));
    } else {
        assert_eq!(first.unwrap_err().errno(), Some(Errno::PERM));
    }
}
