use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Instant;

use zeroize::Zeroizing;

use super::*;
use crate::ephemeral::config::attributes::{FileMode, OnConflict};

/// A directory that stands for the root of a volume.
struct Volume {
    dir: tempfile::TempDir,
    root: Dir,
}

impl Volume {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = Dir::open(dir.path()).unwrap();
        Self { dir, root }
    }

    fn write(&self, files: &[(&str, &str, &str)]) -> Outcome {
        Writer::new(&self.root, None).write(&payload(files)).unwrap()
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn data(&self) -> PathBuf {
        fs::read_link(self.at(DATA)).unwrap()
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap()
    }
}

fn payload(files: &[(&str, &str, &str)]) -> Payload {
    let mut payload = Payload::default();
    for (path, content, mode) in files {
        let content = Zeroizing::new(content.as_bytes().to_vec());
        let mode: FileMode = mode.parse().unwrap();
        payload.add(0, path.parse().unwrap(), content, mode, OnConflict::Refuse).unwrap();
    }
    payload
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn case_079_the_files_lie_as_in_kubernetes_own_volumes() {
    let volume = Volume::new();
    assert_eq!(
        volume.write(&[("app.toml", "x = 1", "0644"), ("logo", "\0\u{1}", "0644")]),
        Outcome::Written
    );
    let data = volume.data();
    let of_time = data.to_str().unwrap();
    assert!(is_of_time(data.as_os_str()), "{of_time}");
    assert_eq!(volume.names(), [of_time, DATA, "app.toml", "logo"]);
    assert_eq!(fs::read_link(volume.at("app.toml")).unwrap(), Path::new("..data/app.toml"));
    assert_eq!(volume.text("app.toml"), "x = 1");
    assert_eq!(fs::read(volume.at("logo")).unwrap(), [0, 1]);
    assert_eq!((mode(&volume.at("app.toml")), mode(&volume.at(DATA))), (0o644, 0o755));
}

#[test]
fn case_080_files_in_directories_have_one_link_for_all() {
    let volume = Volume::new();
    volume.write(&[
        ("a/b/c", "1", "0400"),
        ("a/b/d", "2", "0777"),
        ("a/e", "3", "0000"),
        ("z", "4", "0640"),
    ]);
    assert_eq!(fs::read_link(volume.at("a")).unwrap(), Path::new("..data/a"));
    let modes = ["a", "a/b", "a/b/c", "a/b/d", "a/e", "z"].map(|name| mode(&volume.at(name)));
    assert_eq!(modes, [0o755, 0o755, 0o400, 0o777, 0, 0o640]);
    assert_eq!((volume.text("a/b/c"), volume.text("z")), ("1".to_owned(), "4".to_owned()));
    assert_eq!(
        volume.write(&[
            ("a/b/c", "1", "0400"),
            ("a/b/d", "2", "0777"),
            ("a/e", "3", "0000"),
            ("z", "4", "0640")
        ]),
        Outcome::Unchanged
    );
}

#[test]
fn case_087_what_is_gone_is_gone_and_the_rest_stays() {
    let volume = Volume::new();
    Writer::new(&volume.root, None).prepare(0o777, &["sub/deep".parse().unwrap()]).unwrap();
    volume.write(&[("a", "1", "0644"), ("b/c", "2", "0644"), ("d", "3", "0644")]);
    let old = volume.data();
    assert_eq!(volume.write(&[("d", "3", "0644")]), Outcome::Written);
    let new = volume.data();
    assert_ne!(old, new);
    assert_eq!(volume.names(), [new.to_str().unwrap(), DATA, "d", "sub"]);
    assert_eq!(volume.text("d"), "3");
    assert_eq!(volume.write(&[]), Outcome::Written);
    assert_eq!(volume.names(), [volume.data().to_str().unwrap(), DATA, "sub"]);
    assert_eq!((mode(&volume.at("sub/deep")), mode(volume.dir.path())), (0o755, 0o777));
}

#[test]
fn case_088_the_same_files_are_not_written_again() {
    let volume = Volume::new();
    let files = [("a", "1", "0644"), ("b/c", "2", "0644")];
    volume.write(&files);
    let before = (volume.data(), fs::symlink_metadata(volume.at(DATA)).unwrap().mtime_nsec());
    assert_eq!(volume.write(&files), Outcome::Unchanged);
    let after = (volume.data(), fs::symlink_metadata(volume.at(DATA)).unwrap().mtime_nsec());
    assert_eq!(before, after);
    for other in [
        &[("a", "2", "0644"), ("b/c", "2", "0644")][..],
        &[("a", "22", "0644"), ("b/c", "2", "0644")],
        &[("a", "22", "0644"), ("b/d", "2", "0644")],
        &[("a", "22", "0644"), ("b/d", "2", "0644"), ("b/e", "", "0644")],
        &[("a", "22", "0644"), ("b", "2", "0644")],
        &[("a", "22", "0644")],
    ] {
        assert_eq!(volume.write(other), Outcome::Written, "{other:?}");
        assert_eq!(volume.write(other), Outcome::Unchanged, "{other:?}");
    }
}

#[test]
fn case_089_a_link_that_is_missing_or_wrong_is_made_again() {
    let volume = Volume::new();
    let files = [("a", "1", "0644"), ("b", "2", "0644")];
    volume.write(&files);
    fs::remove_file(volume.at("a")).unwrap();
    fs::remove_file(volume.at("b")).unwrap();
    symlink("/etc", volume.at("b")).unwrap();
    assert_eq!(volume.write(&files), Outcome::Unchanged);
    assert_eq!((volume.text("a"), volume.text("b")), ("1".to_owned(), "2".to_owned()));
}

#[test]
fn case_090_what_a_write_has_left_that_was_cut_short_is_removed() {
    let volume = Volume::new();
    volume.write(&[("a", "1", "0644")]);
    let old = volume.data();
    let orphan = "..2026_01_02_03_04_05.123";
    fs::create_dir_all(volume.at(orphan).join("x/y")).unwrap();
    symlink(orphan, volume.at(NEW_DATA)).unwrap();
    assert_eq!(volume.write(&[("a", "1", "0644")]), Outcome::Unchanged);
    assert_eq!(volume.names(), [old.to_str().unwrap(), DATA, "a"]);
    fs::create_dir_all(volume.at(orphan).join("x/y")).unwrap();
    symlink(orphan, volume.at(NEW_DATA)).unwrap();
    assert_eq!(volume.write(&[("a", "2", "0644")]), Outcome::Written);
    assert_eq!(volume.text("a"), "2");
    assert_eq!(volume.names(), [volume.data().to_str().unwrap(), DATA, "a"]);
}

#[test]
fn case_099_nothing_that_is_found_in_the_volume_leads_the_writer_out_of_it() {
    let victim = tempfile::tempdir().unwrap();
    fs::create_dir(victim.path().join("d")).unwrap();
    fs::write(victim.path().join("d/precious"), "1").unwrap();
    let outside = victim.path().to_str().unwrap();
    let of_time = "..2026_01_02_03_04_05.123";
    for planted in ["data", "data as directory of time", "link of time", "inside", "top"] {
        let volume = Volume::new();
        volume.write(&[("a", "1", "0644"), ("d/precious", "1", "0644")]);
        let data = volume.at(volume.data().to_str().unwrap());
        match planted {
            "data" => {
                fs::remove_file(volume.at(DATA)).unwrap();
                symlink(outside, volume.at(DATA)).unwrap();
            }
            "data as directory of time" => {
                fs::remove_file(volume.at(DATA)).unwrap();
                symlink(of_time, volume.at(DATA)).unwrap();
                symlink(outside, volume.at(of_time)).unwrap();
            }
            "link of time" => symlink(outside, volume.at(of_time)).unwrap(),
            "inside" => {
                fs::remove_dir_all(data.join("d")).unwrap();
                symlink(victim.path().join("d"), data.join("d")).unwrap();
            }
            _ => symlink(outside, volume.at("top")).unwrap(),
        }
        let mut outcomes = Vec::new();
        for content in ["1", "2"] {
            let files = payload(&[("a", content, "0644"), ("d/precious", content, "0644")]);
            outcomes.push(Writer::new(&volume.root, None).write(&files).is_ok());
        }
        assert_eq!(fs::read_to_string(victim.path().join("d/precious")).unwrap(), "1", "{planted}");
        assert_eq!(fs::read_dir(victim.path()).unwrap().count(), 1, "{planted}");
        if planted != "data as directory of time" {
            assert_eq!(outcomes, [true, true], "{planted}");
            assert_eq!(volume.text("a"), "2", "{planted}");
            assert_eq!(volume.text("d/precious"), "2", "{planted}");
        }
    }
}

#[test]
fn a_reader_of_one_directory_never_sees_a_mixture() {
    let volume = Volume::new();
    let both = |content| payload(&[("a", content, "0644"), ("b", content, "0644")]);
    Writer::new(&volume.root, None).write(&both("0")).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = std::collections::BTreeSet::new();
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                // Through one descriptor, as a program does that wants all or nothing.
                // The link may lead to a directory that is removed before it is opened: then it leads elsewhere by now.
                let Ok(data) = Dir::open(&volume.at(DATA)) else { continue };
                if let (Ok(a), Ok(b)) = (data.read("a"), data.read("b")) {
                    assert_eq!(a, b);
                    seen.insert(a);
                }
            }
            seen.len()
        });
        for round in 0..500 {
            Writer::new(&volume.root, None)
                .write(&both(if round % 2 == 0 { "1" } else { "2" }))
                .unwrap();
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(reader.join().unwrap() >= 2);
    });
}

#[test]
fn only_names_of_time_are_the_writers() {
    for (name, is) in [
        ("..2026_11_26_12_44_30.4113926617", true),
        ("..2026_11_26_12_44_30.", false),
        ("..2026_11_26_12_44_30", false),
        ("..2026_11_26_12_44.1", false),
        ("..2026_11_26_12_44_30.1/x", false),
        ("..2026_11_26_12_44_3x.1", false),
        ("..data", false),
        ("..", false),
        ("x", false),
    ] {
        assert_eq!(is_of_time(OsStr::new(name)), is, "{name}");
    }
    assert!(is_of_time(OsStr::new(&name_of_now())));
}

#[test]
fn five_thousand_files_take_no_time() {
    let volume = Volume::new();
    let mut files = Payload::default();
    for number in 0..5_000 {
        let path = format!("key-{number}").parse().unwrap();
        files
            .add(0, path, Zeroizing::new(b"value".to_vec()), FileMode::USUAL, OnConflict::Refuse)
            .unwrap();
    }
    let began = Instant::now();
    assert_eq!(Writer::new(&volume.root, None).write(&files).unwrap(), Outcome::Written);
    println!("5,000 files: {:?}", began.elapsed());
    assert_eq!(Writer::new(&volume.root, None).write(&files).unwrap(), Outcome::Unchanged);
    assert_eq!(volume.names().len(), 5_002);
}
