use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;

use proptest::prelude::*;

use super::*;

const REAL: &str = "\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,errors=remount-ro
31 22 7:0 / /var/lib/orlop rw,noatime shared:9 master:1 - xfs /dev/loop0 rw,attr2,inode64
32 31 7:1 / /var/lib/kubelet/pods/a\\040b/mount rw,relatime master:3 propagate_from:2 - xfs /dev/loop1 ro
33 32 0:5 /loop1 /var/lib/kubelet/pods/a\\040b/mount ro,nosuid unbindable - devtmpfs udev rw,size=1k
40 22 0:99 / /x rw newfield:7 - overlay over\\043lay rw,lowerdir=/a\\054b:/c
";

/// Writes a mount as the kernel does, so that the parser can be held against it.
fn printed(mount: &Mount) -> Vec<u8> {
    let mut fields = String::new();
    let groups = [("shared", mount.shared), ("master", mount.master)];
    for (name, group) in groups.into_iter().chain([("propagate_from", mount.propagate_from)]) {
        if let Some(group) = group {
            write!(fields, " {name}:{group}").unwrap();
        }
    }
    if mount.unbindable {
        fields.push_str(" unbindable");
    }
    let Mount { id, parent, device, .. } = mount;
    let columns = [
        format!("{id} {parent} {device}").into_bytes(),
        escaped(mount.root.as_os_str().as_bytes(), b" \t\n\\"),
        escaped(mount.at.as_os_str().as_bytes(), b" \t\n\\"),
        [mount.options.to_string().into_bytes(), fields.into_bytes(), b" -".to_vec()].concat(),
        escaped(mount.fs_type.as_bytes(), b" \t\n\\#"),
        escaped(mount.source.as_bytes(), b" \t\n\\#"),
        mount.super_options.to_string().into_bytes(),
    ];
    columns.join(&b' ')
}

fn joined(options: &[String]) -> Vec<u8> {
    let options: Vec<_> =
        options.iter().map(|option| escaped(option.as_bytes(), b" \t\n\\,")).collect();
    options.join(&b',')
}

fn escaped(plain: &[u8], special: &[u8]) -> Vec<u8> {
    let escape = |&byte: &u8| {
        if special.contains(&byte) { format!("\\{byte:03o}").into_bytes() } else { vec![byte] }
    };
    plain.iter().flat_map(escape).collect()
}

/// Any bytes that a path can have, with those that must be escaped and octal digits behind them more often.
fn path() -> impl Strategy<Value = PathBuf> {
    let byte =
        prop_oneof![1_u8..=255, Just(b' '), Just(b'\\'), Just(b'\n'), Just(b'0'), Just(b'#')];
    proptest::collection::vec(byte, 0..24)
        .prop_map(|bytes| PathBuf::from(OsStr::from_bytes(&[b"/", &bytes[..]].concat())))
}

fn list() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec("[a-z#\\\\ ,\t=\u{e4}0-7]{1,8}", 0..4)
}

fn options() -> impl Strategy<Value = Options> {
    list().prop_map(|list| Options::of_column(&joined(&list)))
}

prop_compose! {
    fn mount()(
        (id, parent, major, minor) in any::<(u32, u32, u32, u32)>(),
        (root, at) in (path(), path()),
        (options, super_options) in (options(), options()),
        (shared, master, propagate_from, unbindable) in any::<(Option<u64>, Option<u64>, Option<u64>, bool)>(),
        (fs_type, source) in ("[a-z0-9.#]{1,8}", "[a-z/# \\\\\n]{0,8}"),
    ) -> Mount {
        Mount {
            id, parent, device: DeviceNumber { major, minor }, root, at, options, shared, master,
            propagate_from, unbindable, fs_type, source, super_options,
        }
    }
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(mounts in proptest::collection::vec(mount(), 0..5)) {
        let lines: Vec<_> = mounts.iter().map(printed).collect();
        prop_assert_eq!(MountTable::parse(lines.join(&b'\n')).unwrap(), MountTable(mounts));
    }

    #[test]
    fn options_are_told_apart_and_their_escapes_undone(list in list(), other in "[a-z]{1,2}") {
        let options = Options::of_column(&joined(&list));
        prop_assert!(list.iter().all(|option| options.has(option)));
        prop_assert_eq!(options.has(&other), list.contains(&other));
        prop_assert_eq!(options.iter().collect::<Vec<_>>(), list);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
        drop(MountTable::parse(text));
    }
}

#[test]
fn a_real_table_is_understood() {
    let table = MountTable::parse(REAL).unwrap();
    let pool = table.at(Path::new("/var/lib/orlop")).unwrap();
    assert_eq!(pool.device, DeviceNumber { major: 7, minor: 0 });
    assert_eq!((pool.shared, pool.master), (Some(9), Some(1)));
    assert_eq!(pool.options.to_string(), "rw,noatime");
    assert_eq!(pool.super_options.to_string(), "rw,attr2,inode64");
    let overlay = table.at(Path::new("/x")).unwrap();
    assert_eq!(overlay.source, "over#lay");
    assert_eq!(overlay.super_options.iter().collect::<Vec<_>>(), ["rw", "lowerdir=/a,b:/c"]);
    assert!(table.at(Path::new("/var/lib")).is_none());
}

#[test]
fn the_topmost_mount_is_the_one_seen() {
    let table = MountTable::parse(REAL).unwrap();
    let path = Path::new("/var/lib/kubelet/pods/a b/mount");
    assert_eq!(table.stacked_at(path).len(), 2);
    assert_eq!(table.at(path).unwrap().id, 33);
    assert_eq!(table.at(path).unwrap().root, Path::new("/loop1"));

    let slipped_beneath = "41 22 7:1 / /x rw - xfs a rw\n42 22 7:2 / /y rw - xfs b rw\n\
        50 43 7:3 / /x rw - xfs top rw\n43 41 7:4 / /x rw - xfs beneath rw\n";
    let table = MountTable::parse(slipped_beneath).unwrap();
    assert_eq!(table.at(Path::new("/x")).unwrap().source, "top");
}

#[test]
fn read_only_is_a_matter_of_mount_and_file_system() {
    let table = MountTable::parse(REAL).unwrap();
    let read_only: Vec<_> = table.iter().map(Mount::is_read_only).collect();
    assert_eq!(read_only, [false, false, true, true, false]);
}

#[test]
fn a_broken_line_is_named() {
    for (line, part) in [
        ("x 1 8:0 / / rw - ext4 a rw", "id"),
        ("1 1 8 / / rw - ext4 a rw", "device"),
        ("1 1 8:0 / /", "options"),
        ("1 1 8:0 / / rw shared:1", "separator"),
        ("1 1 8:0 / / rw - ext4", "source"),
    ] {
        let failure = MountTable::parse(line).unwrap_err();
        assert!(failure.source.to_string().starts_with(&format!("no {part} in")), "{line}");
    }
}

#[test]
fn our_own_table_has_a_root() {
    assert!(MountTable::read().unwrap().at(Path::new("/")).is_some());
}
