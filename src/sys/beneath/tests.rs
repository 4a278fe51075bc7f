use std::os::unix::fs::symlink;

use super::*;

/// A directory `in` beside a directory `out` with a file, and links from one to the other.
fn world() -> (tempfile::TempDir, Dir) {
    let temp = tempfile::tempdir().unwrap();
    std::fs::create_dir(temp.path().join("out")).unwrap();
    std::fs::write(temp.path().join("out/precious"), "kept").unwrap();
    let inside = temp.path().join("in");
    std::fs::create_dir(&inside).unwrap();
    symlink("../out", inside.join("link-to-dir")).unwrap();
    symlink("../out/precious", inside.join("link-to-file")).unwrap();
    (temp, Dir::open(&inside).unwrap())
}

#[test]
fn no_name_leads_outside() {
    let (_temp, dir) = world();
    for name in ["..", "../out", "/etc", "link-to-dir/precious", "", "."] {
        assert_eq!(dir.open_dir(name).unwrap_err().errno(), Some(Errno::INVAL), "{name}");
        assert_eq!(dir.remove_tree(name).unwrap_err().errno(), Some(Errno::INVAL), "{name}");
        assert_eq!(dir.create_dir(name).unwrap_err().errno(), Some(Errno::INVAL), "{name}");
        assert!(dir.rename_noreplace("link-to-dir", &dir, name).is_err(), "{name}");
    }
    assert_eq!(dir.open_dir("link-to-dir").unwrap_err().errno(), Some(Errno::LOOP));
    assert_eq!(dir.read("link-to-file").unwrap_err().errno(), Some(Errno::LOOP));
    assert!(dir.write_atomically("../out/precious", b"lost").is_err());
}

#[test]
fn two_names_lead_no_further_than_one() {
    let (temp, dir) = world();
    let volume = dir.create_dir("v-1").unwrap();
    drop(volume.open_file("data.img", How::CreateNew).unwrap());
    symlink("../../out/precious", temp.path().join("in/v-1/link")).unwrap();
    assert!(dir.exists_in("v-1", "data.img").unwrap());
    assert!(dir.exists_in("v-1", "link").unwrap(), "the link itself");
    assert!(!dir.exists_in("v-1", "paused").unwrap());
    assert!(!dir.exists_in("v-2", "paused").unwrap());
    dir.open_file_in("v-1", "data.img", How::ReadWrite).unwrap();
    assert!(dir.open_file_in("v-2", "data.img", How::Read).unwrap_err().is_not_found());
    for (within, name, errno) in [
        ("link-to-dir", "precious", Errno::LOOP),
        ("v-1", "link", Errno::LOOP),
        ("..", "out", Errno::INVAL),
        ("v-1", "../../out/precious", Errno::INVAL),
        ("v-1", "", Errno::INVAL),
    ] {
        let error = dir.open_file_in(within, name, How::Read).unwrap_err();
        assert_eq!(error.errno(), Some(errno), "{within}/{name}");
    }
    assert_eq!(dir.exists_in("link-to-dir", "precious").unwrap_err().errno(), Some(Errno::LOOP));
}

#[test]
fn a_link_is_replaced_and_not_written_through() {
    let (temp, dir) = world();
    dir.write_atomically("link-to-file", b"new").unwrap();
    assert_eq!(dir.read("link-to-file").unwrap(), b"new");
    assert_eq!(std::fs::read(temp.path().join("out/precious")).unwrap(), b"kept");
}

#[test]
fn a_record_is_made_replaced_and_read() {
    let (_temp, dir) = world();
    let volume = dir.create_dir("v-1").unwrap();
    assert_eq!(dir.create_dir("v-1").unwrap_err().errno(), Some(Errno::EXIST));
    assert_eq!(dir.ensure_dir("v-1").unwrap().path(), volume.path());
    assert_eq!(dir.ensure_dir("link-to-dir").unwrap_err().errno(), Some(Errno::LOOP));
    // Left behind by a process that was killed while it wrote.
    drop(volume.open_file(".volume.json.new", How::CreateNew).unwrap());
    for content in ["one", "two, longer", "3"] {
        volume.write_atomically("volume.json", content.as_bytes()).unwrap();
        assert_eq!(volume.read("volume.json").unwrap(), content.as_bytes());
    }
    assert_eq!(volume.names().unwrap(), ["volume.json"]);
    assert!(volume.exists("volume.json").unwrap());
    assert!(!volume.exists("data.img").unwrap());
    assert!(volume.read("data.img").unwrap_err().is_not_found());
    volume.sync().unwrap();
}

#[test]
fn what_cannot_be_written_leaves_nothing() {
    let (_temp, dir) = world();
    let occupied = dir.create_dir("occupied").unwrap();
    drop(occupied.create_dir("x").unwrap());
    assert!(dir.write_atomically("occupied", b"new").is_err());
    assert_eq!(dir.names().unwrap(), ["link-to-dir", "link-to-file", "occupied"]);
}

#[test]
fn an_empty_directory_is_not_replaced() {
    let (_temp, dir) = world();
    let (new, volumes) = (dir.create_dir("new").unwrap(), dir.create_dir("volumes").unwrap());
    drop((new.create_dir("v-1").unwrap(), volumes.create_dir("v-1").unwrap()));
    let refused = new.rename_noreplace("v-1", &volumes, "v-1").unwrap_err();
    assert_eq!(refused.errno(), Some(Errno::EXIST));
    assert!(new.exists("v-1").unwrap());
    new.rename_noreplace("v-1", &volumes, "v-2").unwrap();
    assert_eq!(volumes.names().unwrap(), ["v-1", "v-2"]);
}

#[test]
fn a_tree_is_removed_and_links_are_not_followed() {
    let (temp, dir) = world();
    let tree = dir.create_dir("tree").unwrap();
    for one in ["a", "b", "c"] {
        let mut inner = tree.create_dir(one).unwrap();
        for deep in 0..5 {
            symlink("../../../../out", inner.path_of(format!("link-{deep}"))).unwrap();
            inner.write_atomically("file", b"x").unwrap();
            inner = inner.create_dir(".moved-0").unwrap();
        }
    }
    assert!(dir.remove_tree("tree").unwrap());
    assert!(!dir.remove_tree("tree").unwrap());
    assert!(dir.remove_tree("link-to-dir").unwrap());
    assert!(dir.remove_file("link-to-file").unwrap());
    assert!(!dir.remove_file("link-to-file").unwrap());
    assert_eq!(dir.names().unwrap(), Vec::<OsString>::new());
    assert_eq!(std::fs::read(temp.path().join("out/precious")).unwrap(), b"kept");
}

#[test]
fn depth_costs_nothing() {
    let (_temp, dir) = world();
    // Far beyond the longest path and the number of descriptors.
    let mut inner = dir.create_dir("deep").unwrap();
    for _ in 0..3000 {
        inner = inner.create_dir("d").unwrap();
    }
    assert!(dir.remove_tree("deep").unwrap());
}

#[test]
fn a_lock_lasts_until_its_last_descriptor_is_closed() {
    let (_temp, dir) = world();
    drop(dir.create_dir("v-1").unwrap());
    let lock = dir.lock_of("v-1").unwrap().unwrap();
    assert!(dir.lock_of("v-1").unwrap().is_none());
    assert!(dir.open_dir("v-1").unwrap().try_lock().unwrap().is_none());
    let second = lock.duplicate().unwrap();
    drop(lock);
    assert!(dir.lock_of("v-1").unwrap().is_none());
    drop(second);
    assert!(dir.lock_of("v-1").unwrap().is_some());
    assert!(dir.lock_of("v-2").unwrap_err().is_not_found());
}
