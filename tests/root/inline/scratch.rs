//! emptyDirs.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::sync::Arc;

use orlop::ephemeral::Role;
use orlop::ephemeral::scratch::{Scratch, Settings};
use orlop::volume::Bytes;
use tonic::Code;

use super::rig::{Node, Volume, on_node, refused, rights};
use crate::support::{MIB, mount_at};

/// Writes until there is an error, and returns how much could be written and the error.
pub(super) fn fill(path: &std::path::Path, most: u64) -> (u64, Option<std::io::Error>) {
    let mut file = fs::File::create(path).unwrap();
    let piece = vec![7; 1 << 20];
    let mut written = 0;
    while written < most {
        match file.write(&piece) {
            Ok(length) => written += length as u64,
            Err(error) => return (written, Some(error)),
        }
    }
    (written, file.sync_all().err())
}

fn is_no_space(error: Option<std::io::Error>) -> bool {
    error.is_some_and(|error| error.raw_os_error() == Some(28))
}

#[test]
fn case_038_defaults_are_those_of_kubernetes() {
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        let volume = Volume::of(1);
        node.publish(&inline, &volume).await.unwrap();
        let target = node.target(&volume);
        assert_eq!(rights(&target), (0o777, 0, 0));
        assert_eq!(fs::read_dir(&target).unwrap().count(), 0);
        let mount = mount_at(&target);
        assert!(mount.options.has("nosuid") && mount.options.has("nodev"));
        assert!(!mount.options.has("noexec"));
        fs::write(target.join("words"), "here").unwrap();
        node.unpublish(&inline, &volume).await.unwrap();
        node.is_clean();
    });
}

#[test]
fn case_039_and_040_memory_is_a_tmpfs_with_a_hard_limit() {
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        let volume = Volume::of(1).with("medium", "Memory").with("sizeLimit", "64Mi");
        node.publish(&inline, &volume).await.unwrap();
        let target = node.target(&volume);
        let mount = mount_at(&target);
        assert_eq!(mount.fs_type, "tmpfs");
        assert!(mount.super_options.has("size=65536k") && mount.super_options.has("noswap"));
        assert_eq!(rights(&target), (0o1777, 0, 0));
        let (written, error) = fill(&target.join("big"), 65 * MIB);
        assert!(is_no_space(error) && written == 64 * MIB, "{written}");
        node.unpublish(&inline, &volume).await.unwrap();
        node.is_clean();
    });
}

#[test]
fn case_041_a_size_is_rounded_up_to_a_page() {
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        let volume = Volume::of(1).with("medium", "Memory").with("sizeLimit", "5000");
        node.publish(&inline, &volume).await.unwrap();
        assert!(mount_at(&node.target(&volume)).super_options.has("size=8k"));
        node.unpublish(&inline, &volume).await.unwrap();
    });
}

#[test]
fn case_046_huge_pages() {
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        let volume = Volume::of(1).with("medium", "HugePages-2Mi").with("sizeLimit", "4Mi");
        node.publish(&inline, &volume).await.unwrap();
        let target = node.target(&volume);
        let mount = mount_at(&target);
        assert_eq!(mount.fs_type, "hugetlbfs");
        assert!(mount.super_options.has("pagesize=2M"));
        assert_eq!(rights(&target), (0o777, 0, 0));
        let [bytes, _] = node.stats(&inline, &volume).await.unwrap();
        assert_eq!(bytes.total, 4 << 20);
        node.unpublish(&inline, &volume).await.unwrap();
        let odd = volume.with("sizeLimit", "3Mi");
        let (code, why) = refused(node.publish(&inline, &odd).await);
        assert_eq!(code, Code::InvalidArgument);
        assert!(why.contains("no multiple of the page size, 2 MiB"), "{why}");
        node.is_clean();
    });
}

#[test]
fn case_048_the_limit_on_the_disk_is_hard() {
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        let volume = Volume::of(1).with("sizeLimit", "50Mi");
        node.publish(&inline, &volume).await.unwrap();
        let target = node.target(&volume);
        let [bytes, inodes] = node.stats(&inline, &volume).await.unwrap();
        let limit = i64::try_from(50 * MIB).unwrap();
        // What was asked for can be written, and not much more.
        assert!((limit..limit + limit / 25).contains(&bytes.available), "{bytes:?}");
        assert!(inodes.total > 1000, "{inodes:?}");
        let (written, error) = fill(&target.join("big"), 60 * MIB);
        assert!(is_no_space(error) && (50 * MIB..53 * MIB).contains(&written), "{written}");
        node.unpublish(&inline, &volume).await.unwrap();
        node.is_clean();
    });
}

#[test]
fn case_051_the_number_of_files_is_limited() {
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        for medium in ["", "Memory"] {
            let volume = Volume::of(1).with("medium", medium).with("inodeLimit", "100");
            node.publish(&inline, &volume).await.unwrap();
            let target = node.target(&volume);
            let made = (0..200)
                .map(|number| fs::File::create(target.join(number.to_string())))
                .take_while(Result::is_ok)
                .count();
            assert!((100..=128).contains(&made), "{medium:?}: {made}");
            node.unpublish(&inline, &volume).await.unwrap();
        }
        node.is_clean();
    });
}

#[test]
fn case_052_a_group_has_the_volume_and_all_that_is_made_in_it() {
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        for (medium, mode) in [("", 0o2777), ("Memory", 0o3777)] {
            let mut volume = Volume::of(1).with("medium", medium);
            "2000".clone_into(&mut volume.group);
            node.publish(&inline, &volume).await.unwrap();
            let target = node.target(&volume);
            assert_eq!(rights(&target), (mode, 0, 2000));
            fs::write(target.join("new"), "").unwrap();
            assert_eq!(fs::metadata(target.join("new")).unwrap().gid(), 2000);
            node.unpublish(&inline, &volume).await.unwrap();
        }
    });
}

#[test]
fn case_053_a_mode_is_exact_whatever_the_umask() {
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        for (number, medium) in (1..).zip(["", "Memory"]) {
            let volume = Volume::of(number).with("medium", medium).with("mode", "0700");
            node.publish(&inline, &volume).await.unwrap();
            assert_eq!(rights(&node.target(&volume)), (0o700, 0, 0));
            node.unpublish(&inline, &volume).await.unwrap();
        }
    });
}

#[test]
fn case_054_two_pods_share_nothing() {
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        let [a, b] = [1, 2].map(|pod| Volume::of(pod).with("enforcement", "none"));
        for volume in [&a, &b] {
            node.publish(&inline, volume).await.unwrap();
        }
        fs::write(node.target(&a).join("words"), "mine").unwrap();
        assert_eq!(fs::read_dir(node.target(&b)).unwrap().count(), 0);
        for volume in [&a, &b] {
            node.unpublish(&inline, volume).await.unwrap();
        }
        node.is_clean();
    });
}

#[test]
fn case_055_and_056_everything_in_it_goes_and_nothing_else() {
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        let [a, other] = [1, 2].map(|pod| Volume::of(pod).with("enforcement", "none"));
        for volume in [&a, &other] {
            node.publish(&inline, volume).await.unwrap();
        }
        fs::write(node.target(&other).join("words"), "kept").unwrap();
        let target = node.target(&a);
        for number in 0..100 {
            let dir = target.join(format!("d{number}"));
            fs::create_dir(&dir).unwrap();
            for number in 0..1000 {
                fs::write(dir.join(number.to_string()), "").unwrap();
            }
        }
        symlink("/etc", target.join("etc")).unwrap();
        symlink(node.target(&other), target.join("other")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            target.join("socket"),
            rustix::fs::FileType::Socket,
            rustix::fs::Mode::RWXU,
            0,
        )
        .unwrap();
        let before = fs::read_dir("/etc").unwrap().count();
        node.unpublish(&inline, &a).await.unwrap();
        assert_eq!(fs::read_dir("/etc").unwrap().count(), before);
        assert_eq!(fs::read_to_string(node.target(&other).join("words")).unwrap(), "kept");
        node.unpublish(&inline, &other).await.unwrap();
        node.is_clean();
    });
}

#[test]
fn case_057_no_program_gets_rights_and_no_device_is_opened() {
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        let volume = Volume::of(1);
        node.publish(&inline, &volume).await.unwrap();
        let target = node.target(&volume);
        let node_of_null = target.join("null");
        let mode = rustix::fs::Mode::from_raw_mode(0o666);
        let number = rustix::fs::makedev(1, 3);
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &node_of_null,
            rustix::fs::FileType::CharacterDevice,
            mode,
            number,
        )
        .unwrap();
        assert!(fs::symlink_metadata(&node_of_null).unwrap().file_type().is_char_device());
        assert_eq!(fs::File::open(&node_of_null).unwrap_err().raw_os_error(), Some(13));
        // A copy of `id` with the bit of its owner, run by somebody else, is that somebody still.
        let program = target.join("id");
        fs::copy("/usr/bin/id", &program).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).unwrap();
        fs::set_permissions(node.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for dir in target.ancestors().skip(1).take(6) {
            fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let command = format!("setpriv --reuid 1000 --clear-groups {} -u", program.display());
        let ran = std::process::Command::new("sh").args(["-c", &command]).output().unwrap();
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert_eq!(said.trim(), "1000", "{ran:?}");
        node.unpublish(&inline, &volume).await.unwrap();
    });
}

#[test]
fn case_058_a_budget_is_kept_and_what_is_given_back_can_be_had() {
    on_node(Role::Scratch, async |node: Node| {
        is_in_the_budget(&node, node.scratch()).await;
        node.is_clean();
    });
}

/// Two volumes that have no room together: one at a time is there, whatever keeps their limits.
pub(super) async fn is_in_the_budget(node: &Node, settings: Settings) -> [Volume; 2] {
    let settings = Settings { budget: Some(Bytes::mib(100)), ..settings };
    let kind = || Arc::new(Scratch::new(settings.clone()).unwrap());
    let inline = node.start_with(kind());
    let [a, b] = [1, 2].map(|pod| Volume::of(pod).with("sizeLimit", "60Mi"));
    node.publish(&inline, &a).await.unwrap();
    let (code, why) = refused(node.publish(&inline, &b).await);
    assert_eq!(code, Code::ResourceExhausted);
    assert!(why.contains("roles.scratch.budget") && why.contains("40 MiB free"), "{why}");
    // A driver that starts anew knows what is taken.
    drop(inline);
    let inline = node.start_with(kind());
    assert_eq!(refused(node.publish(&inline, &b).await).0, Code::ResourceExhausted);
    node.unpublish(&inline, &a).await.unwrap();
    node.publish(&inline, &b).await.unwrap();
    node.unpublish(&inline, &b).await.unwrap();
    [a, b]
}

#[test]
fn the_file_system_is_the_one_that_was_named() {
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        for (number, fs) in (1..).zip(["ext4", "xfs", "btrfs"]) {
            let mut volume = Volume::of(number).with("sizeLimit", "400Mi");
            fs.clone_into(&mut volume.fs_type);
            node.publish(&inline, &volume).await.unwrap();
            assert_eq!(mount_at(&node.target(&volume)).fs_type, fs);
            assert_eq!(rights(&node.target(&volume)), (0o777, 0, 0));
            node.unpublish(&inline, &volume).await.unwrap();
        }
        node.is_clean();
    });
}

#[test]
fn read_only_is_read_only() {
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        for (number, medium) in (1..).zip(["", "Memory"]) {
            let volume = Volume { read_only: true, ..Volume::of(number).with("medium", medium) };
            node.publish(&inline, &volume).await.unwrap();
            let error = fs::write(node.target(&volume).join("x"), "").unwrap_err();
            assert_eq!(error.raw_os_error(), Some(30));
            node.unpublish(&inline, &volume).await.unwrap();
        }
    });
}
