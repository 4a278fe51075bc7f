//! hostPaths: what an admin allows, and what nobody gets by any trick.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use orlop::ephemeral::hostpath::HostPath;
use orlop::ephemeral::{Inline, Role};
use orlop::volume::{HostPathPrefix, HostPathType};
use tonic::{Code, Status};

use super::rig::{Node, Volume, mounts_at, on_node, refused, rights};
use crate::support::{Mounted, mount_at, new_dir};

/// A node whose directory `host/data` pods may have.
pub(super) struct Host {
    pub(super) node: Node,
    pub(super) inline: Inline,
}

pub(super) fn prefix(node: &Node) -> HostPathPrefix {
    HostPathPrefix {
        path: node.path("host/data"),
        namespaces: vec!["team-a".to_owned()],
        types: HostPathType::ALL.to_vec(),
        read_only: false,
        follow_symlinks: false,
    }
}

pub(super) fn with(change: impl FnOnce(&mut HostPathPrefix), test: impl AsyncFnOnce(Host)) {
    on_node(Role::HostPath, async |node: Node| {
        fs::create_dir(node.path("host/data")).unwrap();
        let mut prefix = prefix(&node);
        change(&mut prefix);
        let kind = HostPath::new(vec![prefix], vec![node.path("host/denied")]).unwrap();
        let inline = node.start_with(Arc::new(kind));
        test(Host { node, inline }).await;
    });
}

pub(super) fn on_host(test: impl AsyncFnOnce(Host)) {
    with(|_| {}, test);
}

impl Host {
    pub(super) fn data(&self, name: &str) -> std::path::PathBuf {
        self.node.path("host/data").join(name)
    }

    /// Returns the volume of a pod that wants the path in the prefix, as this type.
    pub(super) fn volume(&self, name: &str, kind: &str) -> Volume {
        let path = self.data(name).display().to_string();
        Volume::of(1).with("path", &path).with("type", kind)
    }

    pub(super) async fn publish(&self, volume: &Volume) -> Result<(), Status> {
        self.node.publish(&self.inline, volume).await
    }

    pub(super) async fn refused(&self, volume: &Volume) -> (Code, String) {
        let refused = refused(self.publish(volume).await);
        self.node.is_clean();
        assert!(!self.node.target(volume).exists());
        refused
    }

    /// Publishes the volume, looks at it, and unpublishes it.
    pub(super) async fn shown<T>(&self, volume: &Volume, look: impl FnOnce(&Path) -> T) -> T {
        self.publish(volume).await.unwrap();
        let seen = look(&self.node.target(volume));
        self.node.unpublish(&self.inline, volume).await.unwrap();
        self.node.is_clean();
        seen
    }
}

#[test]
fn case_059_without_a_list_nothing_is_allowed() {
    on_node(Role::HostPath, async |node: Node| {
        let inline = node.start_with(Arc::new(HostPath::new(vec![], vec![]).unwrap()));
        let volume = Volume::of(1).with("path", "/srv/data");
        let (code, why) = refused(node.publish(&inline, &volume).await);
        assert_eq!(code, Code::PermissionDenied);
        assert!(why.contains("roles.hostpath.prefixes"), "{why}");
        node.is_clean();
    });
}

#[test]
fn case_060_a_path_outside_of_the_prefixes() {
    on_host(async |host: Host| {
        fs::create_dir(host.node.path("host/data2")).unwrap();
        for path in [host.node.path("host/data2"), host.node.path("host"), "/etc".into()] {
            let volume = Volume::of(1).with("path", &path.display().to_string());
            assert_eq!(host.refused(&volume).await.0, Code::PermissionDenied, "{path:?}");
        }
    });
}

#[test]
fn case_061_and_062_a_path_is_absolute_and_does_not_climb() {
    on_host(async |host: Host| {
        let climbs = host.data("../../etc").display().to_string();
        for (path, expected) in [
            ("data", "path: must be absolute"),
            (&*climbs, "path: must not contain '..'"),
            ("../data", "path: must not contain '..'"),
            ("", "path: must be absolute"),
        ] {
            let (code, why) = host.refused(&Volume::of(1).with("path", path)).await;
            assert_eq!(code, Code::InvalidArgument, "{path}");
            assert!(why.contains(expected), "{path}: {why}");
        }
        let (code, why) = host.refused(&Volume::of(1)).await;
        assert_eq!((code, why.contains("missing field `path`")), (Code::InvalidArgument, true));
        let (code, why) = host.refused(&host.volume("", "Fifo")).await;
        assert_eq!((code, why.contains("DirectoryOrCreate, Dir")), (Code::InvalidArgument, true));
    });
}

#[test]
fn case_063_and_064_a_link_is_not_followed() {
    on_host(async |host: Host| {
        fs::create_dir(host.data("real")).unwrap();
        symlink("/etc", host.data("out")).unwrap();
        symlink("real", host.data("in")).unwrap();
        for (name, kind) in [
            ("out/ssl", ""),
            ("out/ssl", "Directory"),
            ("out/new", "DirectoryOrCreate"),
            ("out/new", "FileOrCreate"),
            ("out", ""),
            ("out", "Directory"),
            ("out", "DirectoryOrCreate"),
            ("in", "Directory"),
        ] {
            let (code, why) = host.refused(&host.volume(name, kind)).await;
            assert_eq!(code, Code::FailedPrecondition, "{name} {kind}: {why}");
            assert!(why.contains("link, which is not followed"), "{name} {kind}: {why}");
        }
        assert!(!Path::new("/etc/new").exists());
    });
}

#[test]
fn a_link_is_followed_where_that_is_allowed_but_never_out() {
    with(
        |prefix| prefix.follow_symlinks = true,
        async |host: Host| {
            fs::create_dir(host.data("real")).unwrap();
            fs::write(host.data("real/words"), "here").unwrap();
            symlink("/etc", host.data("out")).unwrap();
            symlink("real", host.data("in")).unwrap();
            let followed = |name| host.volume(name, "").with("followSymlinks", "true");
            let words = |at: &Path| fs::read_to_string(at.join("words")).unwrap();
            assert_eq!(host.shown(&followed("in"), words).await, "here");
            let (code, why) = host.refused(&followed("out")).await;
            assert_eq!(code, Code::FailedPrecondition);
            assert!(why.contains("leads out of what is allowed"), "{why}");
        },
    );
    on_host(async |host: Host| {
        let volume = host.volume("", "").with("followSymlinks", "true");
        assert_eq!(host.refused(&volume).await.0, Code::PermissionDenied);
    });
}

#[test]
fn case_065_who_swaps_a_directory_and_a_link_wins_nothing() {
    on_host(async |host: Host| {
        let victim = host.node.path("host/victim");
        fs::create_dir_all(victim.join("sub")).unwrap();
        fs::create_dir_all(host.data("d/sub")).unwrap();
        symlink(&victim, host.data("link")).unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let swapping = {
            let (is_over, d, link) = (Arc::clone(&is_over), host.data("d"), host.data("link"));
            std::thread::spawn(move || {
                let flags = rustix::fs::RenameFlags::EXCHANGE;
                let mut count = 0_u64;
                while !is_over.load(Ordering::Relaxed) {
                    let cwd = rustix::fs::CWD;
                    rustix::fs::renameat_with(cwd, &d, cwd, &link, flags).unwrap();
                    count += 1;
                }
                count
            })
        };
        let forbidden = ["", "sub"].map(|name| fs::metadata(victim.join(name)).unwrap().ino());
        let (begin, mut mounted, mut refusals) = (Instant::now(), 0, 0);
        while begin.elapsed() < Duration::from_secs(10) {
            for name in ["d", "d/sub", "d/new", "d/file"] {
                let kind = match name {
                    "d/new" => "DirectoryOrCreate",
                    "d/file" => "FileOrCreate",
                    _ => "Directory",
                };
                let volume = host.volume(name, kind);
                match host.publish(&volume).await {
                    Ok(()) => {
                        mounted += 1;
                        let seen = fs::metadata(host.node.target(&volume)).unwrap().ino();
                        assert!(!forbidden.contains(&seen), "{name} is the victim's");
                        host.node.unpublish(&host.inline, &volume).await.unwrap();
                    }
                    Err(_) => refusals += 1,
                }
            }
        }
        is_over.store(true, Ordering::Relaxed);
        let swaps = swapping.join().unwrap();
        assert!(mounted > 10 && refusals > 10 && swaps > 1000, "{mounted} {refusals} {swaps}");
        let names: Vec<_> =
            fs::read_dir(&victim).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["sub"], "something was made in the victim's directory");
        host.node.is_clean();
    });
}

#[test]
fn case_066_and_067_and_068_directories() {
    on_host(async |host: Host| {
        let (code, why) = host.refused(&host.volume("missing", "Directory")).await;
        let path = host.data("missing").display().to_string();
        assert_eq!(code, Code::FailedPrecondition);
        assert!(why.starts_with(&format!("hostPath {path} doesn't exist")), "{why}");
        assert_eq!(host.refused(&host.volume("missing", "")).await.0, Code::FailedPrecondition);
        assert!(!host.data("missing").exists());
        let made = host.volume("a/b/c", "DirectoryOrCreate");
        host.shown(&made, |at| assert!(at.is_dir())).await;
        for name in ["a", "a/b", "a/b/c"] {
            assert_eq!(rights(&host.data(name)), (0o755, 0, 0), "{name}");
        }
        fs::write(host.data("file"), "").unwrap();
        for kind in ["Directory", "DirectoryOrCreate"] {
            let (_, why) = host.refused(&host.volume("file", kind)).await;
            let path = host.data("file").display().to_string();
            let expected =
                format!("hostPath type check failed: {path} is not a directory, it's a file");
            assert_eq!(why, expected);
        }
    });
}

#[test]
fn case_069_and_070_files_that_are_made() {
    on_host(async |host: Host| {
        let (code, _) = host.refused(&host.volume("no/file", "FileOrCreate")).await;
        assert_eq!((code, host.data("no").exists()), (Code::FailedPrecondition, false));
        let victim = host.node.path("host/victim");
        symlink(&victim, host.data("dangling")).unwrap();
        let (code, _) = host.refused(&host.volume("dangling", "FileOrCreate")).await;
        assert_eq!((code, victim.exists()), (Code::FailedPrecondition, false));
        host.shown(&host.volume("new", "FileOrCreate"), |at| {
            assert!(at.is_file());
            fs::write(at, "from the pod").unwrap();
        })
        .await;
        assert_eq!(rights(&host.data("new")), (0o644, 0, 0));
        // What is there already is taken as it is.
        host.shown(&host.volume("new", "FileOrCreate"), |at| {
            assert_eq!(fs::read_to_string(at).unwrap(), "from the pod");
        })
        .await;
    });
}

#[test]
fn case_071_and_072_each_type_is_what_it_says() {
    on_host(async |host: Host| {
        use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
        let mode = Mode::from_raw_mode(0o666);
        fs::create_dir(host.data("Directory")).unwrap();
        fs::write(host.data("File"), "").unwrap();
        for (name, kind, number) in [
            ("Socket", FileType::Socket, 0),
            ("CharDevice", FileType::CharacterDevice, makedev(1, 3)),
            ("BlockDevice", FileType::BlockDevice, makedev(7, 250)),
            ("Fifo", FileType::Fifo, 0),
        ] {
            mknodat(CWD, host.data(name), kind, mode, number).unwrap();
        }
        let kinds = ["Directory", "File", "Socket", "CharDevice", "BlockDevice"];
        for name in kinds.into_iter().chain(["Fifo"]) {
            for kind in kinds {
                let volume = host.volume(name, kind);
                if name == kind {
                    let seen = host.shown(&volume, |at| fs::metadata(at).unwrap().ino()).await;
                    assert_eq!(seen, fs::metadata(host.data(name)).unwrap().ino());
                } else {
                    let (code, why) = host.refused(&volume).await;
                    assert_eq!(code, Code::FailedPrecondition);
                    assert!(why.starts_with("hostPath type check failed: "), "{why}");
                }
            }
        }
        // A device can be used: that is what it is for.
        host.shown(&host.volume("CharDevice", ""), |at| {
            fs::write(at, "into nothing").unwrap();
        })
        .await;
        assert!(host.refused(&host.volume("Fifo", "")).await.1.contains("of no type"));
    });
}

#[test]
fn what_is_there_is_taken_only_as_an_allowed_type() {
    with(
        |prefix| prefix.types = vec![HostPathType::Directory],
        async |host: Host| {
            fs::write(host.data("file"), "").unwrap();
            for (name, kind) in
                [("file", ""), ("file", "File"), ("x", "FileOrCreate"), ("x", "DirectoryOrCreate")]
            {
                let (code, why) = host.refused(&host.volume(name, kind)).await;
                assert_eq!(code, Code::PermissionDenied, "{why}");
            }
            host.shown(&host.volume("", ""), |at| assert!(at.is_dir())).await;
        },
    );
}

#[test]
fn case_073_and_075_read_only_goes_all_the_way_down() {
    for by_prefix in [false, true] {
        with(
            |prefix| prefix.read_only = by_prefix,
            async |host: Host| {
                let below = Mounted::tmpfs(&new_dir(&host.data(""), "below"));
                let volume = Volume { read_only: !by_prefix, ..host.volume("", "Directory") };
                host.shown(&volume, |at| {
                    assert!(mount_at(at).is_read_only());
                    assert_eq!(mounts_at(&at.join("below")), 1);
                    for file in [at.join("x"), at.join("below/x")] {
                        assert_eq!(fs::write(&file, "").unwrap_err().raw_os_error(), Some(30));
                    }
                })
                .await;
                // The host's own mounts are as they were.
                fs::write(below.at().join("x"), "").unwrap();
                let alone = volume.with("recursive", "false");
                host.shown(&alone, |at| {
                    assert_eq!(mounts_at(&at.join("below")), 0);
                    assert_eq!(fs::read_dir(at.join("below")).unwrap().count(), 0);
                })
                .await;
            },
        );
    }
}

#[test]
fn case_074_a_namespace_that_is_not_allowed() {
    on_host(async |host: Host| {
        let volume = Volume { namespace: "team-b".to_owned(), ..host.volume("", "Directory") };
        let (code, why) = host.refused(&volume).await;
        assert_eq!(code, Code::PermissionDenied);
        assert!(why.contains("namespace team-b"), "{why}");
    });
    with(
        |prefix| prefix.namespaces = vec!["*".to_owned()],
        async |host: Host| {
            let volume = Volume { namespace: "team-b".to_owned(), ..host.volume("", "Directory") };
            host.shown(&volume, |at| assert!(at.is_dir())).await;
        },
    );
}

#[test]
fn case_076_and_077_nothing_of_the_host_is_changed() {
    on_host(async |host: Host| {
        fs::create_dir(host.data("dir")).unwrap();
        fs::write(host.data("dir/words"), "kept").unwrap();
        fs::set_permissions(host.data("dir"), fs::Permissions::from_mode(0o710)).unwrap();
        let before = ["dir", "dir/words"].map(|name| rights(&host.data(name)));
        let mut volume = host.volume("dir", "Directory");
        "2000".clone_into(&mut volume.group);
        host.shown(&volume, |at| {
            assert_eq!(fs::read_to_string(at.join("words")).unwrap(), "kept");
        })
        .await;
        assert_eq!(["dir", "dir/words"].map(|name| rights(&host.data(name))), before);
        assert_eq!(fs::read_to_string(host.data("dir/words")).unwrap(), "kept");
        // Nor by somebody who still uses it while it goes.
        host.publish(&volume).await.unwrap();
        let user = fs::File::open(host.node.target(&volume).join("words")).unwrap();
        host.node.unpublish(&host.inline, &volume).await.unwrap();
        drop(user);
        assert!(host.data("dir/words").exists());
        host.node.is_clean();
    });
}

#[test]
fn case_078_what_is_denied_is_so_under_every_name() {
    on_node(Role::HostPath, async |node: Node| {
        let denied = new_dir(&node.path("host"), "denied");
        fs::create_dir(denied.join("inner")).unwrap();
        symlink(&denied, node.path("host/link")).unwrap();
        let bound = new_dir(&node.path("host"), "bound");
        let options = orlop::sys::mount::MountOptions::default();
        orlop::sys::mount::bind(&denied, &bound, &options).unwrap();
        for path in ["host", "host/denied", "host/denied/inner", "host/link", "host/bound"] {
            let path = node.path(path);
            let new = || {
                HostPath::new(
                    vec![HostPathPrefix { path: path.clone(), ..prefix(&node) }],
                    vec![denied.clone()],
                )
            };
            let why = new().unwrap_err().to_string();
            assert!(why.contains("no config allows it"), "{}: {why}", path.display());
        }
        let inner = HostPathPrefix { path: bound.join("inner"), ..prefix(&node) };
        assert!(HostPath::new(vec![inner], vec![denied.clone()]).is_err());
        // What is bound into a prefix later is found when a pod wants it.
        let data = new_dir(&node.path("host"), "data");
        let kind = HostPath::new(vec![prefix(&node)], vec![denied.clone()]).unwrap();
        let inline = node.start_with(Arc::new(kind));
        let trap = new_dir(&data, "trap");
        orlop::sys::mount::bind(&denied, &trap, &options).unwrap();
        let volume = Volume::of(1).with("path", &trap.display().to_string());
        assert_eq!(refused(node.publish(&inline, &volume).await).0, Code::PermissionDenied);
        for at in [&trap, &bound] {
            orlop::sys::mount::unmount(at).unwrap();
        }
        node.is_clean();
    });
}
