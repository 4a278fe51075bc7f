//! Bind mounts: what a pod sees of a volume.

use std::fs::File;
use std::os::unix::fs::symlink;
use std::path::Path;

use orlop::sys::device;
use orlop::sys::mount::{self, MountOptions, bind, bind_opened};
use orlop::sys::mountinfo::MountTable;
use rustix::io::Errno;
use rustix::mount::MountPropagationFlags;
use tempfile::TempDir;

use crate::support::{Image, MIB, Mounted, in_mount_namespace, new_dir};

/// How often a mount is made in the hope to find it writable. One that is made in two steps is caught within the
/// first thousand.
const BINDS: u32 = 5000;

/// A tmpfs at `source` and an empty directory `target`.
fn source_and_target() -> (TempDir, Mounted) {
    let dir = tempfile::tempdir().unwrap();
    let source = Mounted::tmpfs(&new_dir(dir.path(), "source"));
    new_dir(dir.path(), "target");
    (dir, source)
}

#[test]
fn a_read_only_bind_is_never_writable() {
    in_mount_namespace();
    let (dir, source) = source_and_target();
    // What lies below is read-only as well: a file can only be made through a bind mount that is writable.
    let below = new_dir(dir.path(), "below");
    new_dir(&below, "at");
    bind(&below, &dir.path().join("target"), &MountOptions::read_only()).unwrap();
    let at = dir.path().join("target/at");
    std::thread::scope(|scope| {
        let binder = scope.spawn(|| {
            for _ in 0..BINDS {
                bind(source.at(), &at, &MountOptions::read_only()).unwrap();
                // The writer may be inside just now.
                while mount::unmount(&at).is_err() {}
            }
        });
        while !binder.is_finished() {
            let made = File::create(at.join("file"));
            assert_eq!(Errno::from_io_error(&made.unwrap_err()), Some(Errno::ROFS));
        }
    });
    assert_eq!(std::fs::read_dir(source.at()).unwrap().count(), 0);
    mount::unmount_all(&dir.path().join("target")).unwrap();
}

#[test]
fn only_options_of_the_mount_are_applied() {
    in_mount_namespace();
    let (dir, source) = source_and_target();
    let target = dir.path().join("target");
    for (flags, expected) in [
        ("", "rw,relatime"),
        ("noatime,noexec", "rw,noexec,noatime"),
        ("strictatime,nosuid", "rw,nosuid"),
        ("nodiratime,sync,nosuch=1,nodev", "rw,nodev,nodiratime,relatime"),
        ("ro", "ro,relatime"),
    ] {
        let flags = flags.split(',').map(str::to_owned).collect();
        let options = MountOptions { read_only: false, flags };
        bind(source.at(), &target, &options).unwrap();
        let table = MountTable::read().unwrap();
        let mount = table.at(&target).unwrap();
        assert_eq!(mount.options.to_string(), expected);
        assert_eq!(options.unmet_by(mount), Vec::<&str>::new());
        mount::unmount_all(&target).unwrap();
    }
}

#[test]
fn what_the_source_forbids_stays_forbidden() {
    in_mount_namespace();
    let (dir, source) = source_and_target();
    let (middle, target) = (new_dir(dir.path(), "middle"), dir.path().join("target"));
    bind(source.at(), &middle, &MountOptions::read_only()).unwrap();
    bind(&middle, &target, &MountOptions::default()).unwrap();
    assert!(MountTable::read().unwrap().at(&target).unwrap().is_read_only());
    mount::unmount_all(&target).unwrap();
    mount::unmount_all(&middle).unwrap();
}

#[test]
fn files_and_device_nodes_can_be_bound() {
    in_mount_namespace();
    let dir = tempfile::tempdir().unwrap();
    let image = Image::create(dir.path(), "a.img", 16 * MIB);
    let device = image.attach().device;
    let target = dir.path().join("node");
    drop(File::create(&target).unwrap());
    bind(&device.path, &target, &MountOptions::default()).unwrap();
    assert_eq!(device::of_node(&target).unwrap(), Some(device.number));
    assert_eq!(mount::unmount_all(&target).unwrap(), 1);
    assert_eq!(device::of_node(&target).unwrap(), None);

    let refused = bind(dir.path(), &target, &MountOptions::default()).unwrap_err();
    assert_eq!(refused.errno(), Some(Errno::INVAL), "{refused}");
}

#[test]
fn an_open_file_is_bound_whatever_its_name_leads_to() {
    in_mount_namespace();
    let (dir, source) = source_and_target();
    let target = dir.path().join("target");
    std::fs::write(source.at().join("mark"), "").unwrap();
    let open = File::open(source.at()).unwrap();
    let _covered = Mounted::tmpfs(source.at());
    bind_opened(&open, &target, &MountOptions::read_only()).unwrap();
    assert!(target.join("mark").exists());
    mount::unmount_all(&target).unwrap();
    drop(open);
}

#[test]
fn a_link_at_the_target_is_refused_and_one_above_it_is_followed() {
    in_mount_namespace();
    let (dir, source) = source_and_target();
    let link = dir.path().join("link");
    symlink("target", &link).unwrap();
    let refused = bind(source.at(), &link, &MountOptions::default()).unwrap_err();
    assert_eq!(refused.errno(), Some(Errno::LOOP));
    let file_link = dir.path().join("file-link");
    symlink("/etc/hostname", &file_link).unwrap();
    let refused = bind(Path::new("/dev/null"), &file_link, &MountOptions::default()).unwrap_err();
    assert_eq!(refused.errno(), Some(Errno::LOOP));

    let inner = new_dir(&dir.path().join("target"), "inner");
    bind(source.at(), &link.join("inner"), &MountOptions::default()).unwrap();
    assert_eq!(mount::unmount_all(&inner).unwrap(), 1);
}

#[test]
fn a_bind_reaches_the_peers_of_its_target_and_hears_nothing_of_its_source() {
    in_mount_namespace();
    let (dir, source) = source_and_target();
    let shared = Mounted::tmpfs(&new_dir(dir.path(), "shared"));
    for mounted in [&shared, &source] {
        rustix::mount::mount_change(mounted.at(), MountPropagationFlags::SHARED).unwrap();
    }
    // The host and the driver's container are such peers.
    let peer = new_dir(dir.path(), "peer");
    rustix::mount::mount_bind(shared.at(), &peer).unwrap();
    let at = new_dir(shared.at(), "at");
    let below = new_dir(source.at(), "below");
    bind(source.at(), &at, &MountOptions::read_only()).unwrap();

    let later = Mounted::tmpfs(&below);
    let table = MountTable::read().unwrap();
    let (ours, theirs) = (table.at(&at).unwrap(), table.at(&peer.join("at")).unwrap());
    assert!(ours.is_read_only() && theirs.is_read_only());
    assert_eq!(ours.shared, theirs.shared);
    assert_ne!(ours.shared, table.at(source.at()).unwrap().shared);
    assert!(table.at(&at.join("below")).is_none());

    drop(later);
    assert_eq!(mount::unmount_all(&at).unwrap(), 1);
    assert!(MountTable::read().unwrap().at(&peer.join("at")).is_none());
    mount::unmount_all(&peer).unwrap();
}
