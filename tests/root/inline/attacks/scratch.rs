//! In emptyDirs: what a pod leaves for whoever removes it.

use std::ffi::CString;
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use orlop::ephemeral::{Inline, Role};
use orlop::sys::mount::{self, MountOptions};
use rustix::fs::{CWD, FileType, Mode, OFlags, makedev, mkdirat, mknodat, openat};
use tonic::Code;

use super::super::rig::{Node, Volume, on_node, refused};
use super::{Swapping, Victim};
use crate::support::take_away;

/// A volume that is a plain directory: there nothing but the driver's own care is between a pod and the node.
fn plain(pod: u32) -> Volume {
    Volume::of(pod).with("enforcement", "none")
}

/// Where its content is.
fn content(node: &Node, volume: &Volume) -> PathBuf {
    node.path("scratch").join(volume.id().as_str())
}

async fn published(node: &Node, volume: &Volume) -> Inline {
    let inline = node.start();
    node.publish(&inline, volume).await.unwrap();
    inline
}

#[test]
fn attack_directories_that_are_swapped_while_they_are_removed() {
    on_node(Role::Scratch, async |node: Node| {
        let victim = Victim::of(&node);
        let inline = node.start();
        let volume = plain(1);
        let (begin, mut rounds, mut swaps, mut refusals) = (Instant::now(), 0, 0, 0);
        while begin.elapsed() < Duration::from_secs(10) {
            node.publish(&inline, &volume).await.unwrap();
            let dir = content(&node, &volume);
            // Whoever follows a link finds in the victim what was in the directory.
            let swap = |below: &str| {
                let [real, link] = ["d", "link"].map(|name| dir.join(below).join(name));
                fs::create_dir_all(real.join("sub")).unwrap();
                for number in 0..50 {
                    fs::write(real.join(format!("sub/{number}")), "").unwrap();
                }
                fs::write(real.join("precious"), "").unwrap();
                symlink(victim.path(), &link).unwrap();
                Swapping::begin(real, link)
            };
            let (outer, inner) = (swap("."), swap("inner"));
            while let Err(status) = node.unpublish(&inline, &volume).await {
                assert_eq!(status.code(), Code::Internal, "{status:?}");
                refusals += 1;
            }
            swaps += outer.end() + inner.end();
            rounds += 1;
            victim.is_untouched("the loop");
            node.is_clean();
        }
        println!("{rounds} volumes removed, {swaps} swaps, {refusals} refusals");
        assert!(rounds > 10 && swaps > 100, "{rounds} {swaps}");
    });
}

#[test]
fn attack_a_hard_link_from_one_volume_to_another() {
    on_node(Role::Scratch, async |node: Node| {
        let (own, other) = (plain(1), plain(2));
        let inline = published(&node, &own).await;
        node.publish(&inline, &other).await.unwrap();
        let words = node.target(&other).join("words");
        fs::write(&words, "kept").unwrap();
        let link = fs::hard_link(&words, node.target(&own).join("link"));
        assert_eq!(link.unwrap_err().raw_os_error(), Some(18), "EXDEV: they are two mounts");
        // Not even one that somebody else has made takes anything with it.
        fs::hard_link(content(&node, &other).join("words"), content(&node, &own).join("link"))
            .unwrap();
        node.unpublish(&inline, &own).await.unwrap();
        assert_eq!(fs::read_to_string(&words).unwrap(), "kept");
        assert_eq!(fs::metadata(&words).unwrap().nlink(), 1);
        node.unpublish(&inline, &other).await.unwrap();
        node.is_clean();
    });
}

#[test]
fn attack_pipes_sockets_and_devices_that_would_hold_whoever_opens_them() {
    on_node(Role::Scratch, async |node: Node| {
        let volume = plain(1);
        let inline = published(&node, &volume).await;
        let dir = node.target(&volume);
        fs::create_dir(dir.join("d")).unwrap();
        let opened = fs::File::open(&dir).unwrap();
        let mode = Mode::from_raw_mode(0o666);
        for (name, kind, number) in [
            ("pipe", FileType::Fifo, 0),
            ("d/pipe", FileType::Fifo, 0),
            ("terminal", FileType::CharacterDevice, makedev(5, 0)),
            ("console", FileType::CharacterDevice, makedev(5, 1)),
            ("disk", FileType::BlockDevice, makedev(7, 250)),
            ("d/.moved-0", FileType::Fifo, 0),
        ] {
            mknodat(CWD, dir.join(name), kind, mode, number).unwrap();
        }
        // By a short path: that of a socket has a hundred bytes at most.
        let listener = UnixListener::bind(
            std::path::Path::new("/proc/self/fd")
                .join(opened.as_raw_fd().to_string())
                .join("socket"),
        )
        .unwrap();
        drop((opened, listener));
        let began = Instant::now();
        node.unpublish(&inline, &volume).await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        node.is_clean();
    });
}

#[test]
fn attack_a_mount_inside_of_what_is_removed() {
    on_node(Role::Scratch, async |node: Node| {
        let victim = Victim::of(&node);
        let volume = plain(1);
        let inline = published(&node, &volume).await;
        // In the pod's view: it is in the way of the unmount.
        let inside = node.target(&volume).join("m");
        fs::create_dir(&inside).unwrap();
        mount::bind(victim.path(), &inside, &MountOptions::default()).unwrap();
        let (code, why) = refused(node.unpublish(&inline, &volume).await);
        assert_eq!(code, Code::Aborted, "{why}");
        take_away(&inside);
        victim.is_untouched("in the view of the pod");
        // In the content itself: it is in the way of the removal.
        let inside = content(&node, &volume).join("m");
        mount::bind(victim.path(), &inside, &MountOptions::default()).unwrap();
        let (code, why) = refused(node.unpublish(&inline, &volume).await);
        assert_eq!(code, Code::Internal, "{why}");
        take_away(&inside);
        victim.is_untouched("in the content");
        node.unpublish(&inline, &volume).await.unwrap();
        node.is_clean();
    });
}

#[test]
fn attack_mounts_stacked_on_the_target_without_end() {
    on_node(Role::Scratch, async |node: Node| {
        let victim = Victim::of(&node);
        let volume = plain(1);
        let inline = published(&node, &volume).await;
        fs::write(node.target(&volume).join("words"), "gone").unwrap();
        for _ in 0..70 {
            mount::bind(victim.path(), &node.target(&volume), &MountOptions::default()).unwrap();
        }
        let (code, why) = refused(node.unpublish(&inline, &volume).await);
        assert_eq!(code, Code::FailedPrecondition, "{why}");
        node.unpublish(&inline, &volume).await.unwrap();
        victim.is_untouched("seventy binds");
        node.is_clean();
    });
}

#[test]
fn attack_a_tree_too_deep_and_names_of_the_removers_own() {
    on_node(Role::Scratch, async |node: Node| {
        let victim = Victim::of(&node);
        let volume = plain(1);
        let inline = published(&node, &volume).await;
        let dir = node.target(&volume);
        for number in 0..20 {
            symlink(victim.path(), dir.join(format!(".moved-{number}"))).unwrap();
        }
        for number in 20..40 {
            fs::create_dir_all(dir.join(format!(".moved-{number}/.moved-{number}/d"))).unwrap();
            symlink(victim.path(), dir.join(format!(".moved-{number}/.moved-0"))).unwrap();
        }
        // Ten times as deep as a path can be.
        let name = CString::new("n".repeat(200)).unwrap();
        let mut at: OwnedFd = openat(CWD, &dir, OFlags::RDONLY, Mode::empty()).unwrap();
        for _ in 0..200 {
            mkdirat(&at, name.as_c_str(), Mode::RWXU).unwrap();
            at = openat(&at, name.as_c_str(), OFlags::RDONLY, Mode::empty()).unwrap();
        }
        drop(at);
        node.unpublish(&inline, &volume).await.unwrap();
        victim.is_untouched("the removal");
        node.is_clean();
    });
}

#[test]
fn attack_a_link_that_hopes_to_be_given_to_the_group() {
    on_node(Role::Scratch, async |node: Node| {
        let victim = Victim::of(&node);
        let mut volume = plain(1);
        "2000".clone_into(&mut volume.group);
        let inline = published(&node, &volume).await;
        let dir = node.target(&volume);
        symlink(victim.join("precious"), dir.join("link")).unwrap();
        symlink(victim.path(), dir.join("dir")).unwrap();
        fs::hard_link(victim.join("precious"), content(&node, &volume).join("hard")).unwrap();
        let victim = Victim::at(victim.path().to_owned());
        // After a reboot the same content is published again, and its root given to the group.
        drop(inline);
        take_away(&dir);
        let inline = node.start();
        node.publish(&inline, &volume).await.unwrap();
        assert_eq!(fs::metadata(&dir).unwrap().gid(), 2000);
        victim.is_untouched("the group");
        fs::remove_file(dir.join("hard")).unwrap();
        node.unpublish(&inline, &volume).await.unwrap();
        assert!(Path::new(&victim.join("precious")).exists());
        node.is_clean();
    });
}
