//! Directories that nobody is led out of, where mounts are involved, and on the pool's own file system.

use std::fs::File;

use orlop::sys::beneath::Dir;
use orlop::sys::mount::{self, MountOptions};
use orlop::sys::seal;
use rustix::io::Errno;

use crate::support::{Mounted, TempPool, in_mount_namespace, new_dir};

/// > Nothing that is mounted inside a directory that goes is touched: deleting stays on its own file system and
/// > follows no link.
#[test]
fn what_is_mounted_in_a_tree_survives_its_removal() {
    in_mount_namespace();
    let temp = tempfile::tempdir().unwrap();
    let inner = new_dir(&new_dir(&new_dir(temp.path(), "tree"), "a"), "b");
    std::fs::write(inner.join("file"), "").unwrap();
    let mounted = Mounted::tmpfs(&new_dir(&inner, "mounted"));
    std::fs::write(mounted.at().join("precious"), "kept").unwrap();
    // The mount moves with the directory that holds it, so that its path is not the one it had.
    let open = File::open(mounted.at()).unwrap();
    let dir = Dir::open(temp.path()).unwrap();
    for _ in 0..2 {
        let refused = dir.remove_tree("tree").unwrap_err();
        assert!(matches!(refused.errno(), Some(Errno::XDEV | Errno::BUSY)), "{refused}");
    }
    let inside = rustix::fs::statat(&open, "precious", rustix::fs::AtFlags::empty());
    assert_eq!(inside.unwrap().st_size, 4);
}

#[test]
fn a_tree_that_is_a_mount_is_not_emptied() {
    in_mount_namespace();
    let temp = tempfile::tempdir().unwrap();
    let mounted = Mounted::tmpfs(&new_dir(temp.path(), "tree"));
    std::fs::write(mounted.at().join("precious"), "kept").unwrap();
    let dir = Dir::open(temp.path()).unwrap();
    assert_eq!(dir.remove_tree("tree").unwrap_err().errno(), Some(Errno::XDEV));
    assert!(mounted.at().join("precious").exists());
}

#[test]
fn a_bound_file_in_a_tree_is_not_removed() {
    in_mount_namespace();
    let temp = tempfile::tempdir().unwrap();
    let tree = new_dir(temp.path(), "tree");
    let (outside, inside) = (temp.path().join("precious"), tree.join("bound"));
    std::fs::write(&outside, "kept").unwrap();
    std::fs::write(&inside, "").unwrap();
    mount::bind(&outside, &inside, &MountOptions::default()).unwrap();
    let dir = Dir::open(temp.path()).unwrap();
    assert_eq!(dir.remove_tree("tree").unwrap_err().errno(), Some(Errno::BUSY));
    assert_eq!(std::fs::read(&outside).unwrap(), b"kept");
    mount::unmount_all(&inside).unwrap();
    assert!(dir.remove_tree("tree").unwrap());
}

/// Whoever removes a tree means all of it, what nobody can change included.
#[test]
fn what_is_immutable_in_a_tree_goes_with_it() {
    in_mount_namespace();
    let temp = tempfile::tempdir().unwrap();
    let dir = Dir::open(temp.path()).unwrap();
    let deep = new_dir(&new_dir(temp.path(), "tree"), "deep");
    for path in [temp.path().join("alone"), deep.join("below")] {
        std::fs::write(&path, "kept").unwrap();
        let file = File::open(&path).unwrap();
        let first = seal::set(&file).unwrap().unwrap();
        assert_eq!(seal::of(&file).unwrap(), Some(first));
        assert!(dir.remove_file("alone").is_err(), "one file is not what a tree is");
        assert!(std::fs::remove_file(&path).is_err());
        assert!(seal::lift(&file).unwrap() && !seal::lift(&file).unwrap());
        assert_eq!(seal::of(&file).unwrap(), None);
        // Before Linux 6.13 the time has to go on for a ctime to be another one.
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert_ne!(seal::set(&file).unwrap(), Some(first), "it could be changed meanwhile");
    }
    assert!(dir.remove_tree("alone").unwrap());
    assert!(dir.remove_tree("tree").unwrap());
    assert!(dir.names().unwrap().is_empty());
}

#[test]
fn on_a_pool_an_empty_directory_is_not_replaced_and_records_are_written() {
    in_mount_namespace();
    let pool = TempPool::new();
    let dir = Dir::open(&pool.path()).unwrap();
    let (new, volumes) = (dir.create_dir("new").unwrap(), dir.create_dir("volumes").unwrap());
    new.create_dir("v-1").unwrap().write_atomically("volume.json", b"{}").unwrap();
    drop(volumes.create_dir("v-1").unwrap());
    let refused = new.rename_noreplace("v-1", &volumes, "v-1").unwrap_err();
    assert_eq!(refused.errno(), Some(Errno::EXIST));
    assert!(volumes.remove_tree("v-1").unwrap());
    new.rename_noreplace("v-1", &volumes, "v-1").unwrap();
    new.sync().unwrap();
    volumes.sync().unwrap();
    assert_eq!(volumes.open_dir("v-1").unwrap().read("volume.json").unwrap(), b"{}");
}
