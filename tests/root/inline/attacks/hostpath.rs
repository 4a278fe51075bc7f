//! Out of a prefix: links, mounts and names that lead somewhere else.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use orlop::ephemeral::Role;
use orlop::ephemeral::hostpath::HostPath;
use orlop::sys::mount::{self, MountOptions, bind_shared};
use orlop::volume::{HostPathPrefix, HostPathType};
use tonic::Code;

use super::super::hostpath::{Host, on_host, prefix, with};
use super::super::rig::{Node, Volume, mounts_at, on_node, refused};
use super::{Swapping, Victim};
use crate::support::{Mounted, mount_at, new_dir, take_away};

fn bind(from: &Path, to: &Path) {
    mount::bind(from, to, &MountOptions::default()).unwrap();
}

#[test]
fn attack_links_that_lead_over_proc() {
    with(
        |prefix| prefix.follow_symlinks = true,
        async |host: Host| {
            let victim = Victim::of(&host.node);
            fs::create_dir(host.data("proc")).unwrap();
            mount::mount("proc", Path::new("proc"), &host.data("proc"), &MountOptions::default())
                .unwrap();
            let opened = fs::File::open(victim.path()).unwrap();
            let fd = std::os::fd::AsRawFd::as_raw_fd(&opened);
            let pid = std::process::id();
            let victim_path = victim.path().strip_prefix("/").unwrap().display().to_string();
            for (name, to, below) in [
                ("root", "/proc/self/root".to_owned(), victim_path.clone()),
                ("one", "/proc/1/root".to_owned(), "etc".to_owned()),
                ("cwd", "/proc/self/cwd".to_owned(), String::new()),
                ("fd", format!("/proc/{pid}/fd/{fd}"), "d".to_owned()),
                // In a procfs that lies in the prefix, nothing but the magic itself leads out.
                ("own-root", "proc/self/root".to_owned(), victim_path.clone()),
                ("own-fd", format!("proc/{pid}/fd/{fd}"), "d".to_owned()),
            ] {
                symlink(&to, host.data(name)).unwrap();
                for below in [&*below, ""] {
                    let path = format!("{name}/{below}");
                    let volume = host.volume(path.trim_end_matches('/'), "");
                    assert_ne!(host.refused(&volume).await.0, Code::Ok);
                    let (code, why) = host.refused(&volume.with("followSymlinks", "true")).await;
                    assert_eq!(code, Code::FailedPrecondition, "{path}: {why}");
                }
            }
            for path in [
                format!("/proc/self/root{}", host.data("").display()),
                format!("/proc/1/root{}", host.data("").display()),
                format!("/dev/fd/{fd}"),
            ] {
                let volume = Volume::of(1).with("path", &path).with("followSymlinks", "true");
                assert_eq!(host.refused(&volume).await.0, Code::PermissionDenied, "{path}");
            }
            victim.is_untouched("a link");
            take_away(&host.data("proc"));
        },
    );
}

#[test]
fn attack_a_link_that_is_swapped_in_where_links_are_followed() {
    with(
        |prefix| prefix.follow_symlinks = true,
        async |host: Host| {
            let victim = Victim::of(&host.node);
            fs::create_dir_all(host.data("d/sub")).unwrap();
            fs::create_dir(host.data("way")).unwrap();
            symlink("../d", host.data("way/in")).unwrap();
            symlink(victim.join("d"), host.data("way/out")).unwrap();
            let swapping = Swapping::begin(host.data("way/in"), host.data("way/out"));
            let (begin, mut mounted, mut refusals) = (Instant::now(), 0, 0);
            while begin.elapsed() < Duration::from_secs(5) {
                for (name, kind) in [("way/in/sub", "Directory"), ("way/in/new", "FileOrCreate")] {
                    let volume = host.volume(name, kind).with("followSymlinks", "true");
                    if host.publish(&volume).await.is_err() {
                        refusals += 1;
                        continue;
                    }
                    mounted += 1;
                    assert!(!host.node.target(&volume).join("precious").exists(), "{name}");
                    host.node.unpublish(&host.inline, &volume).await.unwrap();
                }
            }
            let swaps = swapping.end();
            victim.is_untouched("the loop");
            assert!(mounted > 10 && refusals > 10 && swaps > 1000, "{mounted} {refusals} {swaps}");
            host.node.is_clean();
        },
    );
}

#[test]
fn attack_names_that_look_like_the_prefix() {
    on_host(async |host: Host| {
        let victim = Victim::of(&host.node);
        let host_dir = host.node.path("host").display().to_string();
        for name in
            ["data2", "DATA", "d\u{430}ta", "data ", "data\u{200b}", "data\u{2215}x", "data."]
        {
            fs::create_dir(host.node.path("host").join(name)).unwrap();
            let volume = Volume::of(1).with("path", &format!("{host_dir}/{name}"));
            let (code, why) = host.refused(&volume).await;
            assert_eq!(code, Code::PermissionDenied, "{name}: {why}");
        }
        for below in [
            "\u{ff0e}\u{ff0e}/victim",
            "\u{2024}\u{2024}/victim",
            "\u{2025}/victim",
            "..\u{2215}victim",
            "%2e%2e/victim",
            "..%2fvictim",
            "..\\victim",
            ".. /victim",
        ] {
            let (code, why) = host.refused(&host.volume(below, "")).await;
            assert_eq!(code, Code::FailedPrecondition, "{below}: {why}");
        }
        for climbing in ["../victim", "x/../../victim", "..", "x/..", "./../victim", "//..//victim"]
        {
            let path = format!("{host_dir}/data/{climbing}");
            let (code, why) = host.refused(&Volume::of(1).with("path", &path)).await;
            assert_eq!(code, Code::InvalidArgument, "{climbing}: {why}");
        }
        victim.is_untouched("a name");
        // Other ways to write the same are the same.
        for path in [format!("/{host_dir}//data/./"), format!("{host_dir}/./data")] {
            host.shown(&Volume::of(1).with("path", &path), |at| assert!(at.is_dir())).await;
        }
    });
}

#[test]
fn attack_a_path_with_a_zero_byte_or_without_an_end() {
    on_host(async |host: Host| {
        fs::create_dir(host.data("a")).unwrap();
        for (path, expected) in [
            ("a\0".to_owned(), Code::InvalidArgument),
            ("a\0/../../victim".to_owned(), Code::InvalidArgument),
            ("n/".repeat(2100), Code::InvalidArgument),
            ("n".repeat(256), Code::Internal),
            ("n/".repeat(1000), Code::FailedPrecondition),
        ] {
            for kind in ["", "Directory", "DirectoryOrCreate", "FileOrCreate"] {
                if kind == "DirectoryOrCreate" && expected == Code::FailedPrecondition {
                    continue;
                }
                let (code, why) = host.refused(&host.volume(&path, kind)).await;
                assert_eq!(code, expected, "{path:?} {kind}: {why}");
            }
        }
        assert_eq!(fs::read_dir(host.data("")).unwrap().count(), 1);
        // A line end is a letter like any other.
        let odd = "a\n1 1 0:1 / /etc rw - ext4 x rw";
        fs::create_dir_all(host.data(odd)).unwrap();
        fs::write(host.data(odd).join("words"), "here").unwrap();
        host.shown(&host.volume(odd, ""), |at| {
            assert_eq!(fs::read_to_string(at.join("words")).unwrap(), "here");
        })
        .await;
    });
}

/// A node of which a directory is denied; returns it, and the driver that serves the prefix.
fn denying(node: Node) -> (Host, PathBuf) {
    let denied = new_dir(&node.path("host"), "denied");
    fs::create_dir_all(denied.join("inner/deep")).unwrap();
    fs::write(denied.join("inner/deep/precious"), "precious").unwrap();
    new_dir(&node.path("host"), "data");
    let kind = HostPath::new(vec![prefix(&node)], vec![denied.clone()]).unwrap();
    let inline = node.start_with(Arc::new(kind));
    (Host { node, inline }, denied)
}

#[test]
fn attack_a_part_of_what_is_denied_that_was_bound_into_a_prefix() {
    on_node(Role::HostPath, async |node: Node| {
        let (host, denied) = denying(node);
        fs::create_dir_all(host.data("a/b/trap")).unwrap();
        for part in ["", "inner", "inner/deep"] {
            bind(&denied.join(part), &host.data("a/b/trap"));
            for path in ["a/b/trap", "a/b", "a", ""] {
                let (code, why) = host.refused(&host.volume(path, "")).await;
                assert_eq!(code, Code::PermissionDenied, "{part} {path}: {why}");
            }
            if part != "inner/deep" {
                let below = if part.is_empty() { "a/b/trap/inner" } else { "a/b/trap/deep" };
                let (code, why) = host.refused(&host.volume(below, "")).await;
                assert_eq!(code, Code::PermissionDenied, "{part}: {why}");
            }
            // What is around it can be had without what is mounted in it.
            let alone = host.volume("a/b", "").with("recursive", "false");
            let names = |at: &Path| fs::read_dir(at.join("trap")).unwrap().count();
            assert_eq!(host.shown(&alone, names).await, 0);
            take_away(&host.data("a/b/trap"));
        }
        // And what has it in it.
        bind(&host.node.path("host"), &host.data("a/b/trap"));
        let (code, why) = host.refused(&host.volume("a/b/trap", "")).await;
        assert_eq!(code, Code::PermissionDenied, "{why}");
        mount::unmount_all(&host.data("a/b/trap")).unwrap();
        host.shown(&host.volume("a/b", ""), |at| assert!(at.is_dir())).await;
    });
}

#[test]
fn attack_a_directory_that_becomes_a_mount_and_a_directory_again() {
    on_node(Role::HostPath, async |node: Node| {
        let (host, denied) = denying(node);
        fs::create_dir_all(host.data("d")).unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let (told, from, to) = (Arc::clone(&is_over), denied.join("inner"), host.data("d"));
        let mounting = std::thread::spawn(move || {
            let mut count = 0_u32;
            while !told.load(Ordering::Relaxed) {
                bind(&from, &to);
                mount::unmount_all(&to).ok();
                nix::mount::umount2(&to, nix::mount::MntFlags::MNT_DETACH).ok();
                count += 1;
            }
            count
        });
        let (begin, mut mounted, mut refusals) = (Instant::now(), 0, 0);
        while begin.elapsed() < Duration::from_secs(5) {
            let volume = host.volume("d", "Directory");
            match host.publish(&volume).await {
                Ok(()) => {
                    mounted += 1;
                    assert_eq!(fs::read_dir(host.node.target(&volume)).unwrap().count(), 0);
                    host.node.unpublish(&host.inline, &volume).await.unwrap();
                }
                Err(_) => refusals += 1,
            }
        }
        is_over.store(true, Ordering::Relaxed);
        let mounts = mounting.join().unwrap();
        assert!(mounted > 10 && refusals > 10 && mounts > 100, "{mounted} {refusals} {mounts}");
        host.node.is_clean();
    });
}

#[test]
fn attack_a_prefix_inside_of_another_that_was_swapped_for_a_link() {
    on_node(Role::HostPath, async |node: Node| {
        let victim = Victim::of(&node);
        let outer = new_dir(&node.path("host"), "data");
        fs::create_dir_all(outer.join("team/d")).unwrap();
        let inner =
            HostPathPrefix { path: outer.join("team"), follow_symlinks: true, ..prefix(&node) };
        let kind = HostPath::new(vec![prefix(&node), inner], vec![]).unwrap();
        let inline = node.start_with(Arc::new(kind));
        let host = Host { node, inline };
        host.shown(&host.volume("team/d", ""), |at| assert!(at.is_dir())).await;
        // Whoever may write to the outer one does this, with a pod's rights.
        fs::rename(outer.join("team"), outer.join("moved")).unwrap();
        symlink(victim.path(), outer.join("team")).unwrap();
        for path in ["team", "team/d", "team/new"] {
            for kind in ["", "DirectoryOrCreate"] {
                let volume = host.volume(path, kind);
                let (code, why) = host.refused(&volume).await;
                assert_eq!(code, Code::FailedPrecondition, "{path}: {why}");
                let (code, why) = host.refused(&volume.with("followSymlinks", "true")).await;
                assert_eq!(code, Code::FailedPrecondition, "{path}: {why}");
            }
        }
        victim.is_untouched("the link");
    });
}

#[test]
fn attack_a_prefix_that_leads_to_the_root_of_the_node() {
    on_node(Role::HostPath, async |node: Node| {
        let denied = new_dir(&node.path("host"), "denied");
        symlink("/", node.path("host/root")).unwrap();
        symlink("/proc/1/root", node.path("host/one")).unwrap();
        symlink("/proc/self/root", node.path("host/self")).unwrap();
        symlink(node.path("host/root"), node.path("host/twice")).unwrap();
        for path in [
            PathBuf::from("/"),
            "/proc/1/root".into(),
            "/proc/self/root".into(),
            node.path("host/root"),
            node.path("host/one"),
            node.path("host/self"),
            node.path("host/twice"),
            node.path("host/twice").join(denied.strip_prefix("/").unwrap()),
        ] {
            let prefix = HostPathPrefix { path: path.clone(), ..prefix(&node) };
            let answer = HostPath::new(vec![prefix], vec![denied.clone()]);
            let why = answer.expect_err(&path.display().to_string()).to_string();
            // Not everybody who is root may look into the first process.
            let is_seen = fs::metadata(&path).is_ok();
            assert!(!is_seen || why.contains("no config allows it"), "{}: {why}", path.display());
        }
        // And one that becomes such a link while the driver runs.
        let data = new_dir(&node.path("host"), "data");
        let kind = HostPath::new(vec![prefix(&node)], vec![denied.clone()]).unwrap();
        let inline = node.start_with(Arc::new(kind));
        for to in [denied.as_path(), Path::new("/"), Path::new("/proc/self/root")] {
            fs::remove_dir(&data).or_else(|_| fs::remove_file(&data)).unwrap();
            symlink(to, &data).unwrap();
            let volume = Volume::of(1).with("path", &data.display().to_string());
            let (code, why) = refused(node.publish(&inline, &volume).await);
            assert_eq!(code, Code::PermissionDenied, "{why}");
        }
        node.is_clean();
    });
}

#[test]
fn attack_mounts_that_a_pod_makes_or_takes_with_it() {
    on_host(async |host: Host| {
        bind_shared(&host.data("")).unwrap();
        let below = Mounted::tmpfs(&new_dir(&host.data(""), "below"));
        fs::write(below.at().join("words"), "kept").unwrap();
        fs::create_dir(host.data("empty")).unwrap();
        let volume = host.volume("", "Directory");
        host.publish(&volume).await.unwrap();
        let target = host.node.target(&volume);
        // What is mounted in the pod's view is not on the host, and what goes there stays on the host.
        let inner = Mounted::tmpfs(&target.join("empty"));
        assert_eq!(mounts_at(&host.data("empty")), 0);
        drop(inner);
        take_away(&target.join("below"));
        assert_eq!(mounts_at(below.at()), 1);
        host.node.unpublish(&host.inline, &volume).await.unwrap();
        assert_eq!(mounts_at(below.at()), 1);
        // Nor does the unpublish take the host's own with it.
        host.publish(&volume).await.unwrap();
        assert_eq!(mounts_at(&target.join("below")), 1);
        host.node.unpublish(&host.inline, &volume).await.unwrap();
        assert_eq!(fs::read_to_string(below.at().join("words")).unwrap(), "kept");
        drop(below);
        take_away(&host.data(""));
        host.node.is_clean();
    });
}

#[test]
fn attack_programs_and_devices_that_wait_on_the_host() {
    on_host(async |host: Host| {
        let below = Mounted::tmpfs(&new_dir(&host.data(""), "below"));
        let mode = rustix::fs::Mode::from_raw_mode(0o666);
        for dir in [host.data(""), below.at().to_owned()] {
            use rustix::fs::{CWD, FileType, makedev, mknodat};
            mknodat(CWD, dir.join("null"), FileType::CharacterDevice, mode, makedev(1, 3)).unwrap();
        }
        host.shown(&host.volume("", "Directory"), |at| {
            for at in [at.to_owned(), at.join("below")] {
                let options = mount_at(&at).options;
                assert!(options.has("nosuid") && options.has("nodev"), "{}", at.display());
                assert_eq!(fs::File::open(at.join("null")).unwrap_err().raw_os_error(), Some(13));
            }
        })
        .await;
        // As a file it is none of the types that are files.
        let files = ["File", "FileOrCreate"];
        for kind in files {
            assert_eq!(host.refused(&host.volume("null", kind)).await.0, Code::FailedPrecondition);
        }
    });
    with(
        |prefix| {
            prefix.types = HostPathType::ALL
                .into_iter()
                .filter(|kind| *kind != HostPathType::CharDevice)
                .collect();
        },
        async |host: Host| {
            use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
            let mode = Mode::from_raw_mode(0o666);
            mknodat(CWD, host.data("null"), FileType::CharacterDevice, mode, makedev(1, 3))
                .unwrap();
            for kind in ["", "CharDevice"] {
                let (code, _) = host.refused(&host.volume("null", kind)).await;
                assert_eq!(code, Code::PermissionDenied);
            }
        },
    );
}

#[test]
fn attack_a_namespace_that_looks_like_an_allowed_one() {
    on_host(async |host: Host| {
        for namespace in
            ["team-a ", "Team-a", "team-a/../team-b", "*", "team-\u{430}", "team-a\n", "team-aa"]
        {
            let volume = Volume { namespace: namespace.to_owned(), ..host.volume("", "Directory") };
            let (code, why) = host.refused(&volume).await;
            assert_eq!(code, Code::PermissionDenied, "{namespace:?}: {why}");
        }
    });
}
