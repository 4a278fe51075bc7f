//! Volumes of a pod with a user namespace of its own, as a runtime shows them: through a mount that maps the owners.

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use linux_raw_sys::general::{AT_EMPTY_PATH, MOUNT_ATTR_IDMAP, mount_attr};
use orlop::ephemeral::Role;
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};
use serde_json::json;

use super::config::{APP, publish, start};
use super::rig::{Node, Volume, on_node};
use crate::stand_in::{StandIn, until};
use crate::support::new_dir;

/// The first user of the node that the pod's users are: its root is this one.
const FIRST: u32 = 100_000;

/// A user namespace, as long as a program sleeps in it.
#[derive(Debug)]
struct UserNamespace(Child);

// === impl UserNamespace ===

impl UserNamespace {
    async fn new() -> Self {
        let mut command = Command::new("unshare");
        let asleep = command.args(["--user", "sleep", "600"]).stdin(Stdio::null()).spawn().unwrap();
        let namespace = Self(asleep);
        let own = fs::read_link("/proc/self/ns/user").unwrap();
        let its = namespace.path("ns/user");
        until("it is there", || fs::read_link(&its).is_ok_and(|found| found != own)).await;
        for map in ["uid_map", "gid_map"] {
            let mut file = File::options().write(true).open(namespace.path(map)).unwrap();
            file.write_all(format!("0 {FIRST} 65536").as_bytes()).unwrap();
        }
        namespace
    }

    fn path(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.0.id())
    }

    /// Shows what is mounted at a target elsewhere, as containerd and CRI-O do.
    #[expect(unsafe_code, reason = "no crate that we use wraps mount_setattr")]
    fn show(&self, target: &Path, at: &Path) {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let tree: OwnedFd = open_tree(rustix::fs::CWD, target, flags).unwrap();
        let users = File::open(self.path("ns/user")).unwrap();
        let request = mount_attr {
            attr_set: MOUNT_ATTR_IDMAP.into(),
            attr_clr: 0,
            propagation: 0,
            userns_fd: u64::try_from(users.as_raw_fd()).unwrap(),
        };
        // SAFETY: both descriptors are open for the whole call, the path is an empty C string, and the kernel reads
        // exactly the size that is passed from a structure laid out as it expects.
        let answer = unsafe {
            nix::libc::syscall(
                nix::libc::SYS_mount_setattr,
                tree.as_raw_fd(),
                c"".as_ptr(),
                AT_EMPTY_PATH,
                &raw const request,
                size_of::<mount_attr>(),
            )
        };
        assert_eq!(answer, 0, "{}: {}", target.display(), std::io::Error::last_os_error());
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        move_mount(&tree, "", rustix::fs::CWD, at, flags).unwrap();
    }

    /// Runs a command as root of the pod.
    fn run(&self, command: &str) -> Output {
        let pid = self.0.id().to_string();
        let mut enter = Command::new("nsenter");
        enter.args(["--target", &pid, "--user", "--setuid", "0", "--setgid", "0", "sh", "-c"]);
        enter.arg(command).output().unwrap()
    }

    fn says(&self, command: &str) -> String {
        let ran = self.run(command);
        assert!(ran.status.success(), "{command}: {ran:?}");
        String::from_utf8(ran.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for UserNamespace {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Makes a place that the pod's root can reach, and shows the volume there.
fn shown(node: &Node, users: &UserNamespace, volume: &Volume) -> String {
    use std::os::unix::fs::PermissionsExt;
    for dir in [node.dir.path().to_owned(), node.path("host")] {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let at = new_dir(&node.path("host"), &volume.name);
    users.show(&node.target(volume), &at);
    at.display().to_string()
}

#[test]
fn case_121_a_pod_with_its_own_users_reads_its_projections() {
    on_node(Role::Config, async |node: Node| {
        let (api, users) = (StandIn::start().await, UserNamespace::new().await);
        let inline = start(&node, &api).await;
        api.put(APP, json!({ "data": { "a": "1" } }));
        let conf = Volume { read_only: true, ..Volume::of(1) }
            .with("kind", "configMap")
            .with("name", "app")
            .with("items", r#"[{"key":"a","path":"d/a","mode":"0400"}]"#);
        publish(&node, &inline, &conf, "t").await.unwrap();
        let at = shown(&node, &users, &conf);
        assert_eq!(users.says(&format!("cat {at}/d/a; stat -c %u:%g:%a {at}/d/a")), "10:0:400");
        let found = fs::metadata(format!("{at}/d/a")).unwrap();
        assert_eq!((found.uid(), found.gid()), (FIRST, FIRST));
        // Without the map, it is a file of somebody else.
        let bare = node.target(&conf).join("d/a");
        assert!(!users.run(&format!("cat {}", bare.display())).status.success());
        // It stays what it is: nobody writes, and changes are seen.
        assert!(!users.run(&format!("touch {at}/x")).status.success());
        api.put(APP, json!({ "data": { "a": "2" } }));
        super::config::pass(31).await;
        publish(&node, &inline, &conf, "t").await.unwrap();
        assert_eq!(users.says(&format!("cat {at}/d/a")), "2");
        orlop::sys::mount::unmount(Path::new(&at)).unwrap();
        node.unpublish(&inline, &conf).await.unwrap();
        node.is_clean();
    });
}

#[test]
fn case_121_a_pod_with_its_own_users_has_its_empty_dirs() {
    on_node(Role::Scratch, async |node: Node| {
        let users = UserNamespace::new().await;
        let inline = node.start();
        for (name, key, value) in [
            ("disk", "medium", ""),
            ("memory", "medium", "Memory"),
            ("plain", "enforcement", "none"),
        ] {
            let volume = Volume { name: name.into(), ..Volume::of(1) }.with(key, value);
            let volume = volume.with("mode", "0700");
            node.publish(&inline, &volume).await.unwrap();
            let at = shown(&node, &users, &volume);
            let said =
                format!("echo here > {at}/words && cat {at}/words && stat -c %u:%g {at}/words");
            assert_eq!(users.says(&said), "here\n0:0", "{name}");
            let found = fs::metadata(node.target(&volume).join("words")).unwrap();
            assert_eq!((found.uid(), found.gid()), (0, 0), "{name}");
            orlop::sys::mount::unmount(Path::new(&at)).unwrap();
            node.unpublish(&inline, &volume).await.unwrap();
        }
        node.is_clean();
    });
}
