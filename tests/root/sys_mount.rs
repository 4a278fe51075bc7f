//! Mounting file systems, and unmounting.

use std::path::Path;

use orlop::sys::mount::{self, MountOptions};
use orlop::sys::mountinfo::MountTable;
use rustix::io::Errno;

use crate::support::{Image, MIB, Mounted, in_mount_namespace, new_dir};

fn options(flags: &[&str]) -> MountOptions {
    let flags = flags.iter().map(|&flag| flag.to_owned()).collect();
    MountOptions { read_only: false, flags }
}

#[test]
fn options_reach_the_mount_and_the_file_system() {
    in_mount_namespace();
    let dir = tempfile::tempdir().unwrap();
    let image = Image::formatted(dir.path(), "a.img", 320 * MIB, "xfs");
    let device = image.attach();
    let at = new_dir(dir.path(), "at");
    let options = options(&["noatime", "nodev", "dirsync", "defaults", "logbsize=64k", "nouuid"]);
    mount::mount("xfs", &device.device.path, &at, &options).unwrap();
    let table = MountTable::read().unwrap();
    let mount = table.at(&at).unwrap();
    assert_eq!(mount.fs_type, "xfs");
    assert_eq!(Path::new(&mount.source), device.device.path);
    assert_eq!(mount.device, device.device.number);
    assert_eq!(mount.root, Path::new("/"));
    assert_eq!(mount.options.to_string(), "rw,nodev,noatime");
    for option in ["rw", "dirsync", "logbsize=64k", "nouuid"] {
        assert!(mount.super_options.has(option), "{mount:?}");
    }
    assert_eq!(options.unmet_by(mount), Vec::<&str>::new());
    assert!(mount::unmount(&at).unwrap());
}

#[test]
fn a_read_only_mount_is_read_only_below_too() {
    in_mount_namespace();
    let dir = tempfile::tempdir().unwrap();
    let image = Image::formatted(dir.path(), "a.img", 64 * MIB, "ext4");
    let device = image.attach();
    let at = new_dir(dir.path(), "at");
    mount::mount("ext4", &device.device.path, &at, &MountOptions::read_only()).unwrap();
    let table = MountTable::read().unwrap();
    let mount = table.at(&at).unwrap();
    assert!(mount.options.has("ro") && mount.super_options.has("ro"));
    assert_eq!(MountOptions::default().unmet_by(mount), ["rw"]);
    mount::unmount_all(&at).unwrap();
}

#[test]
fn the_kernels_own_words_are_in_the_error() {
    in_mount_namespace();
    let dir = tempfile::tempdir().unwrap();
    let image = Image::formatted(dir.path(), "a.img", 320 * MIB, "xfs");
    let device = image.attach().device;
    for (fs, flag, errno, words) in [
        ("xfs", "nosuch", Errno::INVAL, Some("Unknown parameter 'nosuch'")),
        ("ext4", "data=perhaps", Errno::INVAL, Some("Bad value for 'data'")),
        ("ext4", "noatime", Errno::INVAL, None),
        ("nosuchfs", "noatime", Errno::NODEV, None),
    ] {
        let failure = mount::mount(fs, &device.path, dir.path(), &options(&[flag])).unwrap_err();
        assert_eq!(failure.errno(), Some(errno), "{failure}");
        if let Some(words) = words {
            assert!(failure.kernel.as_ref().unwrap().contains(words), "{failure}");
        }
        assert!(failure.to_string().contains(&format!("mount {fs} {device} at")), "{failure}");
    }
    assert!(MountTable::read().unwrap().at(dir.path()).is_none());
}

#[test]
fn unmounting_nothing_is_no_error_and_a_link_is_not_followed() {
    in_mount_namespace();
    let dir = tempfile::tempdir().unwrap();
    let at = new_dir(dir.path(), "at");
    let mounted = Mounted::tmpfs(&at);
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&at, &link).unwrap();
    assert!(!mount::unmount(&link).unwrap());
    assert!(!mount::unmount(&dir.path().join("nonexistent")).unwrap());
    assert!(!mount::unmount(dir.path()).unwrap());
    let open = std::fs::File::create(at.join("open")).unwrap();
    assert_eq!(mount::unmount(&at).unwrap_err().errno(), Some(Errno::BUSY));
    drop(open);
    assert!(mount::unmount(mounted.at()).unwrap());
    assert!(!mount::unmount(&at).unwrap());
}

#[test]
fn all_mounts_at_a_place_can_be_taken_away() {
    in_mount_namespace();
    let dir = tempfile::tempdir().unwrap();
    let stack: Vec<_> = (0..3).map(|_| Mounted::tmpfs(dir.path())).collect();
    assert_eq!(MountTable::read().unwrap().stacked_at(dir.path()).len(), 3);
    assert_eq!(mount::unmount_all(dir.path()).unwrap(), 3);
    assert_eq!(mount::unmount_all(dir.path()).unwrap(), 0);
    drop(stack);
}
