use super::*;
use crate::ephemeral::{Attributes, InlineId, KindName, Pod, Secrets};
use crate::error::Meaning;

fn settings() -> Settings {
    Settings {
        path: "/x".into(),
        default_size: Bytes::gib(10),
        max_size: None,
        budget: None,
        allows_no_limit: false,
        squota: Squota::Forbidden,
        allows_suid: false,
        allows_dev: false,
    }
}

fn volume(attributes: &[(&str, &str)]) -> InlineVolume {
    let owned = attributes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let text = || "x".to_owned();
    InlineVolume {
        id: InlineId::of("uid", "work"),
        kind: KindName::EmptyDir,
        pod: Pod { namespace: text(), name: text(), uid: text(), service_account: text() },
        attributes: owned.collect::<Attributes>(),
        secrets: Secrets::default(),
        tokens_in_context: None,
        read_only: false,
        group: None,
        fs_type: None,
    }
}

fn read(attributes: &[(&str, &str)]) -> Result<Wish> {
    decided(&volume(attributes), &settings())
}

/// Decides on a disk on which nothing is; it is no btrfs, or has no quotas.
fn decided(volume: &InlineVolume, settings: &Settings) -> Result<Wish> {
    let room = tempfile::tempdir().unwrap();
    Wish::read(volume, settings, &Disk::open(room.path()).unwrap())
}

fn refused(attributes: &[(&str, &str)]) -> (Meaning, String) {
    let why = read(attributes).unwrap_err();
    (why.meaning(), why.to_string())
}

fn image(size: Bytes) -> Backing {
    Backing::Image { size, inodes: None, fs: FsType::Ext4 }
}

#[test]
fn case_007_an_unknown_attribute_is_named_with_those_that_there_are() {
    let (meaning, why) = refused(&[("sizelimit", "1Gi")]);
    assert_eq!(meaning, Meaning::Invalid);
    let all = "expected one of `medium`, `sizeLimit`, `inodeLimit`, `mode`, `enforcement`, `exec`, `suid`, `dev`";
    assert_eq!(why, format!("volume_attributes: unknown field `sizelimit`, {all}"));
}

#[test]
fn case_038_defaults() {
    let wish = read(&[]).unwrap();
    assert_eq!((wish.backing, wish.mode), (image(Bytes::gib(10)), 0o777));
    assert_eq!(wish.flags, ["nosuid", "nodev"]);
    assert_eq!(read(&[("medium", "")]).unwrap(), wish);
}

#[test]
fn case_042_a_limit_of_nothing_is_none() {
    assert_eq!(read(&[("sizeLimit", "0")]).unwrap().backing, image(Bytes::gib(10)));
    let memory = read(&[("sizeLimit", "0"), ("medium", "Memory")]).unwrap().backing;
    assert_eq!(memory, Backing::Memory { size: memory::half(), inodes: None });
}

#[test]
fn case_043_sizes_are_quantities_of_kubernetes() {
    for wrong in ["-1", "abc", "", "1 Gi", "1e99"] {
        let (meaning, why) = refused(&[("sizeLimit", wrong)]);
        assert_eq!(meaning, Meaning::Invalid);
        assert!(why.starts_with("volume_attributes: sizeLimit: "), "{wrong}: {why}");
    }
    for (text, bytes) in [("1.5Gi", 1_610_612_736), ("1.5", 2), ("64Mi", 64 << 20)] {
        assert_eq!(read(&[("sizeLimit", text)]).unwrap().backing, image(Bytes(bytes)), "{text}");
    }
}

#[test]
fn case_044_more_than_the_admin_allows() {
    let settings = Settings { max_size: Some(Bytes::gib(1)), ..settings() };
    for medium in ["", "Memory"] {
        let volume = volume(&[("sizeLimit", "2Gi"), ("medium", medium)]);
        let why = decided(&volume, &settings).unwrap_err().to_string();
        assert!(why.contains("sizeLimit: 2 GiB is more than 1 GiB"), "{why}");
    }
}

#[test]
fn case_045_a_medium_in_the_wrong_case() {
    for wrong in ["memory", "hugepages", "HugePages-", "HugePages-x", "Disk"] {
        let (meaning, why) = refused(&[("medium", wrong)]);
        assert_eq!(meaning, Meaning::Invalid);
        assert!(why.starts_with("volume_attributes: medium: must be"), "{why}");
    }
}

#[test]
fn case_047_a_page_size_that_the_node_does_not_have() {
    let (meaning, why) = refused(&[("medium", "HugePages-3Mi")]);
    assert_eq!(meaning, Meaning::Unfit);
    assert!(why.starts_with("this node has no huge pages of 3 MiB; it has: "), "{why}");
}

#[test]
fn what_the_admin_does_not_allow_is_refused_and_allowed_where_he_does() {
    for attribute in ["suid", "dev"] {
        let (meaning, why) = refused(&[(attribute, "true")]);
        assert_eq!(meaning, Meaning::Forbidden);
        assert!(why.starts_with(attribute), "{why}");
    }
    assert_eq!(refused(&[("enforcement", "none")]).0, Meaning::Unfit);
    let settings =
        Settings { allows_no_limit: true, allows_suid: true, allows_dev: true, ..settings() };
    let all = [("suid", "true"), ("dev", "true"), ("exec", "false"), ("enforcement", "none")];
    let wish = decided(&volume(&all), &settings).unwrap();
    assert_eq!((wish.backing, wish.flags), (Backing::Directory, vec!["noexec".to_owned()]));
    let both = [("enforcement", "none"), ("sizeLimit", "1Gi")];
    assert!(decided(&volume(&both), &settings).is_err());
}

#[test]
fn modes_and_numbers_of_files_have_their_bounds() {
    assert_eq!(read(&[("mode", "0700")]).unwrap().mode, 0o700);
    assert_eq!(read(&[("mode", "01777")]).unwrap().mode, 0o1777);
    for (key, wrong) in [
        ("mode", "02777"),
        ("mode", "0888"),
        ("mode", "777"),
        ("inodeLimit", "0"),
        ("inodeLimit", "-1"),
        ("inodeLimit", "2147483649"),
        ("exec", "yes"),
        ("enforcement", "projectQuota"),
    ] {
        assert_eq!(refused(&[(key, wrong)]).0, Meaning::Invalid, "{key} {wrong}");
    }
}

#[test]
fn a_file_system_is_named_by_fs_type_and_has_its_own_bounds() {
    let with = |fs: &str, attributes: &[(&str, &str)]| {
        let fs_type = Some(fs.to_owned());
        decided(&InlineVolume { fs_type, ..volume(attributes) }, &settings())
    };
    assert!(matches!(with("xfs", &[]).unwrap().backing, Backing::Image { fs: FsType::Xfs, .. }));
    assert!(with("zfs", &[]).is_err());
    assert!(with("xfs", &[("sizeLimit", "100Mi")]).is_err());
    assert!(with("xfs", &[("inodeLimit", "100")]).is_err());
}

#[test]
fn a_quota_keeps_a_limit_only_where_the_admin_allows_it_and_there_is_one() {
    let squota = [("enforcement", "squota")];
    let (meaning, why) = refused(&squota);
    assert_eq!(meaning, Meaning::Unfit);
    assert!(why.contains("roles.scratch.allow in the config lacks squota"), "{why}");
    let settings = Settings { squota: Squota::Allowed, ..settings() };
    let why = decided(&volume(&squota), &settings).unwrap_err();
    assert_eq!(why.meaning(), Meaning::Unfit);
    assert!(why.to_string().starts_with("enforcement: squota: "), "{why}");
    assert_eq!(decided(&volume(&[]), &settings).unwrap().backing, image(Bytes::gib(10)));
    let both = [("enforcement", "squota"), ("inodeLimit", "100")];
    let why = decided(&volume(&both), &settings).unwrap_err();
    assert_eq!(why.meaning(), Meaning::Invalid);
}
