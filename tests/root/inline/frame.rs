//! What all kinds have in common, shown with emptyDirs.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use orlop::csi::v1;
use orlop::csi::v1::node_server::Node as _;
use orlop::ephemeral::Role;
use orlop::sys::mount::{self, MountOptions};
use tonic::{Code, Request};

use super::rig::{Node, Volume, mounts_at, on_node, refused, rights};
use crate::support::{Mounted, take_away};

#[test]
fn case_012_an_id_that_is_a_path_touches_nothing() {
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        let volume = Volume::of(1);
        fs::write(node.path("x"), "precious").unwrap();
        let request =
            v1::NodePublishVolumeRequest { volume_id: "../../x".into(), ..node.request(&volume) };
        let answer = inline.node_publish_volume(Request::new(request)).await;
        assert_eq!(refused(answer).0, Code::InvalidArgument);
        let request = v1::NodeUnpublishVolumeRequest {
            volume_id: "../../x".into(),
            target_path: node.target(&volume).display().to_string(),
        };
        inline.node_unpublish_volume(Request::new(request)).await.unwrap();
        assert_eq!(fs::read_to_string(node.path("x")).unwrap(), "precious");
        node.is_clean();
    });
}

#[test]
fn case_014_and_015_a_target_is_made_or_found_empty() {
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        let volume = Volume::of(1);
        for is_there in [false, true] {
            let target = node.target(&volume);
            if is_there {
                fs::create_dir(&target).unwrap();
            }
            node.publish(&inline, &volume).await.unwrap();
            assert_eq!(mounts_at(&target), 1);
            assert_eq!(rights(target.parent().unwrap()).0, 0o750);
            node.unpublish(&inline, &volume).await.unwrap();
            assert!(!target.exists());
        }
        node.is_clean();
    });
}

#[test]
fn case_016_and_018_and_031_a_publish_of_what_is_published() {
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        let volume = Volume::of(1);
        let target = node.target(&volume);
        node.publish(&inline, &volume).await.unwrap();
        fs::write(target.join("words"), "kept").unwrap();
        for _ in 0..3 {
            node.publish(&inline, &volume).await.unwrap();
        }
        // Another driver knows it, too.
        drop(inline);
        let inline = node.start();
        node.publish(&inline, &volume).await.unwrap();
        assert_eq!(mounts_at(&target), 1);
        let other = volume.clone().with("sizeLimit", "2Gi");
        let (code, why) = refused(node.publish(&inline, &other).await);
        assert_eq!((code, why.contains("with other attributes")), (Code::AlreadyExists, true));
        assert_eq!(fs::read_to_string(target.join("words")).unwrap(), "kept");
        node.unpublish(&inline, &volume).await.unwrap();
        node.is_clean();
    });
}

#[test]
fn case_020_two_at_once_make_one() {
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        let volume = Volume::of(1);
        let both = tokio::join!(node.publish(&inline, &volume), node.publish(&inline, &volume));
        let codes = [both.0, both.1].map(|one| one.map_or_else(|why| why.code(), |()| Code::Ok));
        assert!(codes.contains(&Code::Ok), "{codes:?}");
        assert!(codes.iter().all(|code| [Code::Ok, Code::Aborted].contains(code)), "{codes:?}");
        assert_eq!(mounts_at(&node.target(&volume)), 1);
        node.unpublish(&inline, &volume).await.unwrap();
    });
}

#[test]
fn case_022_a_final_error_leaves_nothing() {
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        let volume = Volume::of(1).with("sizeLimit", "many");
        assert_eq!(refused(node.publish(&inline, &volume).await).0, Code::InvalidArgument);
        // What goes wrong after something was made: the target is taken.
        let volume = Volume::of(2);
        let target = node.target(&volume);
        fs::create_dir(&target).unwrap();
        fs::write(target.join("foreign"), "").unwrap();
        assert_eq!(refused(node.publish(&inline, &volume).await).0, Code::Unavailable);
        fs::remove_file(target.join("foreign")).unwrap();
        node.publish(&inline, &volume).await.unwrap();
        node.unpublish(&inline, &volume).await.unwrap();
        node.is_clean();
    });
}

#[test]
fn case_024_what_no_pod_has_is_collected_and_foreign_things_stay() {
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        let [gone, stays] = [1, 2].map(Volume::of);
        for volume in [&gone, &stays] {
            node.publish(&inline, volume).await.unwrap();
        }
        fs::write(node.path("scratch/foreign.img"), "precious").unwrap();
        fs::create_dir(node.path("scratch/csi-foreign")).unwrap();
        drop(inline);
        // The node went down, and the pod was removed meanwhile.
        assert_eq!(mount::unmount_all(&node.target(&gone)).unwrap(), 1);
        fs::remove_dir_all(node.path("kubelet/pods").join(&gone.uid)).unwrap();
        let image = node.path("scratch").join(format!("{}.img", gone.id()));
        assert!(image.exists());
        let inline = node.start();
        let begin = std::time::Instant::now();
        while image.exists() {
            assert!(begin.elapsed().as_secs() < 20, "it is not collected");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        node.publish(&inline, &stays).await.unwrap();
        assert_eq!(mounts_at(&node.target(&stays)), 1);
        node.unpublish(&inline, &stays).await.unwrap();
        assert_eq!(fs::read_to_string(node.path("scratch/foreign.img")).unwrap(), "precious");
        fs::remove_file(node.path("scratch/foreign.img")).unwrap();
        fs::remove_dir(node.path("scratch/csi-foreign")).unwrap();
        node.is_clean();
    });
}

#[test]
fn case_025_and_026_an_unpublish_of_nothing() {
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        let volume = Volume::of(1);
        // Not even kubelet's directory is there.
        node.unpublish(&inline, &volume).await.unwrap();
        node.publish(&inline, &volume).await.unwrap();
        for _ in 0..2 {
            node.unpublish(&inline, &volume).await.unwrap();
        }
        node.is_clean();
    });
}

#[test]
fn case_027_an_unpublish_with_all_records_lost() {
    on_node(Role::Scratch, async |node: Node| {
        for (number, medium) in (1..).zip(["", "Memory"]) {
            let inline = node.start();
            let volume = Volume::of(number).with("medium", medium);
            node.publish(&inline, &volume).await.unwrap();
            drop(inline);
            fs::remove_dir_all(node.path("state/inline")).unwrap();
            let inline = node.start();
            node.unpublish(&inline, &volume).await.unwrap();
            assert!(!node.target(&volume).exists());
            node.is_clean();
        }
    });
}

#[test]
fn case_028_stacked_mounts_all_go() {
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        let volume = Volume::of(1);
        node.publish(&inline, &volume).await.unwrap();
        let target = node.target(&volume);
        let host = node.path("host");
        fs::write(host.join("words"), "precious").unwrap();
        mount::bind(&host, &target, &MountOptions::default()).unwrap();
        assert_eq!(mounts_at(&target), 2);
        node.unpublish(&inline, &volume).await.unwrap();
        assert_eq!(fs::read_to_string(host.join("words")).unwrap(), "precious");
        node.is_clean();
    });
}

#[test]
fn case_029_what_somebody_put_into_the_bare_target_stays() {
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        let volume = Volume::of(1);
        node.publish(&inline, &volume).await.unwrap();
        let target = node.target(&volume);
        take_away(&target);
        fs::write(target.join("words"), "precious").unwrap();
        let (code, why) = refused(node.unpublish(&inline, &volume).await);
        assert_eq!(
            (code, why.contains("left as it is")),
            (Code::FailedPrecondition, true),
            "{why}"
        );
        assert_eq!(fs::read_to_string(target.join("words")).unwrap(), "precious");
        fs::remove_file(target.join("words")).unwrap();
        node.unpublish(&inline, &volume).await.unwrap();
        node.is_clean();
    });
}

#[test]
fn case_030_whoever_uses_it_loses_nothing() {
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        let volume = Volume::of(1);
        node.publish(&inline, &volume).await.unwrap();
        let target = node.target(&volume);
        let user = fs::File::create(target.join("words")).unwrap();
        let (code, why) = refused(node.unpublish(&inline, &volume).await);
        assert_eq!(code, Code::Aborted, "{why}");
        assert!(why.contains("a process still uses"), "{why}");
        assert!(target.join("words").exists());
        drop(user);
        node.unpublish(&inline, &volume).await.unwrap();
        node.is_clean();
    });
}

#[test]
fn case_032_after_a_reboot_the_disk_is_kept_and_memory_is_empty() {
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        let disk = Volume::of(1);
        let directory = Volume::of(2).with("enforcement", "none");
        let memory = Volume::of(3).with("medium", "Memory");
        let all = [(&disk, true), (&directory, true), (&memory, false)];
        for (volume, _) in all {
            node.publish(&inline, volume).await.unwrap();
            fs::write(node.target(volume).join("words"), "here").unwrap();
        }
        drop(inline);
        for (volume, _) in all {
            take_away(&node.target(volume));
        }
        let inline = node.start();
        for (volume, is_kept) in all {
            node.publish(&inline, volume).await.unwrap();
            let target = node.target(volume);
            assert_eq!(mounts_at(&target), 1);
            assert_eq!(target.join("words").exists(), is_kept, "{volume:?}");
            node.unpublish(&inline, volume).await.unwrap();
        }
        node.is_clean();
    });
}

#[test]
fn case_033_a_foreign_mount_at_the_target_is_left_alone() {
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        let volume = Volume::of(1);
        let target = node.target(&volume);
        fs::create_dir(&target).unwrap();
        let foreign = Mounted::tmpfs(&target);
        fs::write(target.join("words"), "precious").unwrap();
        let (code, why) = refused(node.publish(&inline, &volume).await);
        assert_eq!((code, why.contains("left as it is")), (Code::Internal, true), "{why}");
        assert_eq!(fs::read_to_string(target.join("words")).unwrap(), "precious");
        drop(foreign);
        fs::remove_dir(&target).unwrap();
        node.is_clean();
    });
}

#[test]
fn case_034_and_035_what_there_is_has_figures_and_nothing_else_has() {
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        let volume = Volume::of(1).with("medium", "Memory").with("sizeLimit", "1Mi");
        assert_eq!(refused(node.stats(&inline, &volume).await).0, Code::NotFound);
        node.publish(&inline, &volume).await.unwrap();
        let [bytes, inodes] = node.stats(&inline, &volume).await.unwrap();
        assert_eq!((bytes.unit, bytes.total, bytes.used), (1, 1 << 20, 0));
        assert_eq!(inodes.unit, 2);
        assert!(inodes.total > 0 && inodes.used >= 1);
        assert_eq!(refused(node.stats(&inline, &Volume::of(2)).await).0, Code::NotFound);
        node.unpublish(&inline, &volume).await.unwrap();
        assert_eq!(refused(node.stats(&inline, &volume).await).0, Code::NotFound);
    });
}

#[test]
fn case_036_kubelets_directory_may_be_a_link() {
    on_node(Role::Scratch, async |node: Node| {
        let real = node.path("data");
        fs::rename(node.path("kubelet"), &real).unwrap();
        symlink(&real, node.path("kubelet")).unwrap();
        let inline = node.start();
        let volume = Volume::of(1);
        node.publish(&inline, &volume).await.unwrap();
        let below = node.target(&volume);
        let below = below.strip_prefix(node.path("kubelet")).unwrap();
        assert_eq!(mounts_at(&real.join(below)), 1);
        // The other name of the same place.
        let mut request = node.request(&volume);
        request.target_path = real.join(below).display().to_string();
        inline.node_publish_volume(Request::new(request)).await.unwrap();
        assert_eq!(mounts_at(&real.join(below)), 1);
        node.unpublish(&inline, &volume).await.unwrap();
        node.is_clean();
    });
}

#[test]
fn case_109_no_record_has_a_secret_or_what_the_user_wrote() {
    const CANARY: &str = "canary-3b1f6e";
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        let volume = Volume::of(1).with("medium", "Memory");
        let mut request = node.request(&volume);
        let tokens = orlop::ephemeral::TOKENS.to_owned();
        request.secrets.insert("password".to_owned(), CANARY.to_owned());
        request.volume_context.insert(tokens, CANARY.to_owned());
        inline.node_publish_volume(Request::new(request)).await.unwrap();
        let record = node.path("state/inline/scratch").join(format!("{}.json", volume.id()));
        let text = fs::read_to_string(&record).unwrap();
        assert!(text.contains("emptyDir") && !text.contains(CANARY), "{text}");
        assert!(!text.contains("token"), "{text}");
        assert_eq!(rights(&record).0, 0o600);
        node.unpublish(&inline, &volume).await.unwrap();
        node.is_clean();
    });
}

#[test]
fn a_link_on_the_way_to_the_target_is_not_followed() {
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        let volume = Volume::of(1);
        let target = node.target(&volume);
        let parent = target.parent().unwrap();
        fs::remove_dir(parent).unwrap();
        fs::create_dir(node.path("host/victim")).unwrap();
        symlink(node.path("host/victim"), parent).unwrap();
        assert!(fs::symlink_metadata(parent).unwrap().is_symlink());
        let request = node.request(&volume);
        assert!(inline.node_publish_volume(Request::new(request)).await.is_err());
        assert_eq!(fs::read_dir(node.path("host/victim")).unwrap().count(), 0);
        assert!(node.unpublish(&inline, &volume).await.is_err());
        // And a link in place of the target itself.
        fs::remove_file(parent).unwrap();
        let target = node.target(&volume);
        symlink(node.path("host/victim"), &target).unwrap();
        assert!(node.publish(&inline, &volume).await.is_err());
        assert_eq!(fs::read_dir(node.path("host/victim")).unwrap().count(), 0);
        assert!(Path::new(&target).is_symlink());
        fs::remove_file(&target).unwrap();
        node.unpublish(&inline, &volume).await.unwrap();
        node.is_clean();
    });
}
