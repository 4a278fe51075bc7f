//! The behaviour that must never be wrong, a test for each point, on the real kernel.

use std::fs;
use std::path::Path;

use orlop::csi::v1;
use orlop::csi::v1::volume_capability::access_mode::Mode;
use orlop::csi::v1::volume_capability::{AccessType, MountVolume};
use orlop::sys::mount;
use orlop::sys::mountinfo::MountTable;
use tonic::Code;

use crate::driver::text;
use crate::requests::{self, create, file_system, publish, stage, unpublish, unstage};
use crate::rig::{Rig, with_rig};

fn mounts_at(path: &Path) -> usize {
    MountTable::read().unwrap().iter().filter(|mount| mount.at == path).count()
}

fn xfs() -> v1::VolumeCapability {
    file_system("xfs", Mode::SingleNodeWriter)
}

/// A volume that is staged and published, its paths as text.
async fn published(rig: &mut Rig, name: &str) -> (String, String, String) {
    let id = rig.create(create(name)).await;
    let target = text(&rig.publish(&id, &xfs()).await);
    let staging = text(&rig.driver.path(&format!("staging {id}")));
    (id, staging, target)
}

/// Another volume's file system at the staging path is never bound for a pod.
///
/// > What a pod gets is this volume: a staging path where something else is mounted is FAILED_PRECONDITION, and
/// > nothing is published.
#[test]
fn publish_checks_that_the_staging_path_holds_this_volume() {
    with_rig(|mut rig| async {
        let (one, staging, target) = published(&mut rig, "one").await;
        let (two, other_staging, _) = published(&mut rig, "two").await;
        rig.driver.node.node_unpublish_volume(unpublish(&one, &target)).await.unwrap();
        // What a reboot can do: the mount is gone, and the loop device's number belongs to another image.
        mount::unmount(Path::new(&staging)).unwrap();
        mount::bind(
            Path::new(&other_staging),
            Path::new(&staging),
            &mount::MountOptions::default(),
        )
        .unwrap();
        let wrong = rig.driver.node.node_publish_volume(publish(&one, &staging, &target)).await;
        let wrong = wrong.unwrap_err();
        assert_eq!(wrong.code(), Code::FailedPrecondition, "{wrong:?}");
        assert!(!Path::new(&target).exists());
        mount::unmount(Path::new(&staging)).unwrap();
        // Nothing mounted there: it stages first.
        rig.driver.node.node_publish_volume(publish(&one, &staging, &target)).await.unwrap();
        for id in [&one, &two] {
            rig.unpublish(id).await;
            rig.delete(id).await;
        }
        rig
    });
}

/// > Staging and publishing again leave one mount.
#[test]
fn publish_and_stage_twice_leave_one_mount() {
    with_rig(|mut rig| async {
        let (id, staging, target) = published(&mut rig, "twice").await;
        for _ in 0..3 {
            rig.driver.node.node_stage_volume(stage(&id, &staging)).await.unwrap();
            rig.driver.node.node_publish_volume(publish(&id, &staging, &target)).await.unwrap();
        }
        assert_eq!(mounts_at(Path::new(&staging)), 1);
        assert_eq!(mounts_at(Path::new(&target)), 1);
        rig.unpublish(&id).await;
        rig.delete(&id).await;
        rig
    });
}

/// > Staging never formats: a volume whose file system cannot be recognized any more is refused, and stays as it is.
#[test]
fn staging_never_formats() {
    with_rig(|mut rig| async {
        for fs in ["xfs", "ext4", "btrfs"] {
            let capability = file_system(fs, Mode::SingleNodeWriter);
            let request = v1::CreateVolumeRequest {
                volume_capabilities: vec![capability.clone()],
                ..create(fs)
            };
            let id = rig.create(request).await;
            let image = rig.pool_dir().join("volumes").join(&id).join("data.img");
            // Everything by which a file system is recognized.
            let file = fs::OpenOptions::new().write(true).open(&image).unwrap();
            let lost = vec![0; 1 << 20];
            std::os::unix::fs::FileExt::write_all_at(&file, &lost, 0).unwrap();
            let staging = rig.driver.staging(&format!("staging {fs}"));
            let request = v1::NodeStageVolumeRequest {
                volume_capability: Some(capability),
                ..stage(&id, &staging)
            };
            rig.driver.node.node_stage_volume(request).await.unwrap_err();
            assert_eq!(mounts_at(Path::new(&staging)), 0);
            let mut found = vec![1; lost.len()];
            let file = fs::File::open(&image).unwrap();
            std::os::unix::fs::FileExt::read_exact_at(&file, &mut found, 0).unwrap();
            assert!(found == lost, "{fs}: something was written to the image");
            rig.delete(&id).await;
        }
        rig
    });
}

/// kubelet must get rid of its mounts even when the volume's record is gone.
///
/// > Both succeed when there is nothing to undo, also with the volume's record, its image and the driver's memory
/// > lost.
#[test]
fn undo_succeeds_with_all_state_lost() {
    with_rig(|mut rig| async {
        let (id, staging, target) = published(&mut rig, "lost").await;
        let lost = v1::DeleteVolumeRequest { volume_id: id.clone(), ..Default::default() };
        fs::remove_dir_all(rig.pool_dir().join("volumes").join(&id)).unwrap();
        let mut rig = rig.restarted().await;
        for _ in 0..2 {
            rig.driver.node.node_unpublish_volume(unpublish(&id, &target)).await.unwrap();
            rig.driver.node.node_unstage_volume(unstage(&id, &staging)).await.unwrap();
            rig.driver.controller.delete_volume(lost.clone()).await.unwrap();
        }
        assert!(!Path::new(&target).exists());
        rig
    });
}

/// What one volume's undo names is never another volume's mount, known or not.
///
/// > Neither touches a mount of another volume, or of somebody else: FAILED_PRECONDITION.
#[test]
fn undo_leaves_the_mounts_of_others_alone() {
    with_rig(|mut rig| async {
        let (one, staging, target) = published(&mut rig, "one").await;
        let two = rig.create(create("two")).await;
        for other in [&*two, "v-00000000000000000000000000000000"] {
            let wrong = rig.driver.node.node_unpublish_volume(unpublish(other, &target)).await;
            assert_eq!(wrong.unwrap_err().code(), Code::FailedPrecondition, "{other}");
            let wrong = rig.driver.node.node_unstage_volume(unstage(other, &staging)).await;
            assert_eq!(wrong.unwrap_err().code(), Code::FailedPrecondition, "{other}");
        }
        assert_eq!((mounts_at(Path::new(&staging)), mounts_at(Path::new(&target))), (1, 1));
        for id in [&one, &two] {
            rig.unpublish(id).await;
            rig.delete(id).await;
        }
        rig
    });
}

/// A damaged record hurts its volume's use, not its end on this node.
#[test]
fn undo_succeeds_with_a_record_that_cannot_be_read() {
    with_rig(|mut rig| async {
        let (id, staging, target) = published(&mut rig, "damaged").await;
        let record = rig.pool_dir().join("volumes").join(&id).join("volume.json");
        let good = fs::read(&record).unwrap();
        fs::write(&record, "{").unwrap();
        let mut rig = rig.restarted().await;
        let refused = rig.driver.node.node_publish_volume(publish(&id, &staging, &target)).await;
        assert_eq!(refused.unwrap_err().code(), Code::FailedPrecondition);
        let refused = rig.driver.controller.delete_volume(requests::delete(&id)).await;
        assert_eq!(refused.unwrap_err().code(), Code::FailedPrecondition);
        rig.unpublish(&id).await;
        assert_eq!(crate::rig::loops_below(&rig.pool_dir()), Vec::<String>::new());
        fs::write(&record, good).unwrap();
        rig.delete(&id).await;
        rig
    });
}

/// What a damaged record says of attachments nobody knows: it is neither guessed nor overwritten.
#[test]
fn a_damaged_record_is_not_detached_until_it_is_put_right_or_given_up() {
    with_rig(|mut rig| async {
        let (kept, given_up) = (rig.create(create("kept")).await, rig.create(create("up")).await);
        for id in [&kept, &given_up] {
            let attach = requests::attach(id, crate::driver::NODE);
            rig.driver.controller.controller_publish_volume(attach).await.unwrap();
        }
        let home = |rig: &Rig, id: &str| rig.pool_dir().join("volumes").join(id);
        let record = home(&rig, &kept).join("volume.json");
        let good = fs::read(&record).unwrap();
        fs::write(&record, &good[..good.len() / 2]).unwrap();
        fs::write(home(&rig, &given_up).join("volume.json"), "").unwrap();
        let mut rig = rig.restarted().await;
        for id in [&kept, &given_up] {
            let detach = requests::detach(id, crate::driver::NODE);
            let refused = rig.driver.controller.controller_unpublish_volume(detach).await;
            let refused = refused.unwrap_err();
            assert_eq!(refused.code(), Code::FailedPrecondition, "{refused:?}");
            let named = text(&home(&rig, id).join("volume.json"));
            assert!(refused.message().contains(&named), "{refused:?}");
        }
        assert_eq!(fs::read(&record).unwrap(), &good[..good.len() / 2]);
        fs::write(&record, good).unwrap();
        fs::remove_dir_all(home(&rig, &given_up)).unwrap();
        for id in [&kept, &given_up] {
            let detach = requests::detach(id, crate::driver::NODE);
            rig.driver.controller.controller_unpublish_volume(detach).await.unwrap();
            rig.delete(id).await;
        }
        rig
    });
}

/// > A read-only publish cannot be written, raw devices included.
#[test]
fn a_read_only_publish_cannot_be_written() {
    with_rig(|mut rig| async {
        for capability in [xfs(), requests::block()] {
            let request = v1::CreateVolumeRequest {
                volume_capabilities: vec![capability.clone()],
                ..create("read")
            };
            let id = rig.create(request).await;
            let staging = rig.driver.staging("read staging");
            let target = rig.driver.path("read target");
            let request = v1::NodePublishVolumeRequest {
                readonly: true,
                volume_capability: Some(capability),
                ..publish(&id, &staging, &text(&target))
            };
            rig.driver.node.node_publish_volume(request).await.unwrap();
            let victim = if target.is_dir() { target.join("file") } else { target.clone() };
            let mut options = fs::OpenOptions::new();
            let opened = options.write(true).create(target.is_dir()).open(victim);
            let refused = opened.and_then(|mut file| {
                std::io::Write::write_all(&mut file, &[1; 4096])?;
                file.sync_all()
            });
            assert!(refused.is_err());
            rig.driver.node.node_unpublish_volume(unpublish(&id, &text(&target))).await.unwrap();
            rig.driver.node.node_unstage_volume(unstage(&id, &staging)).await.unwrap();
            rig.delete(&id).await;
        }
        rig
    });
}

/// > Mount flags reach the kernel; one that it refuses is INVALID_ARGUMENT with the kernel's own words, and no flag
/// > is repeated, for it may be a secret.
#[test]
fn mount_flags_reach_the_kernel_and_its_refusal_reaches_the_user() {
    with_rig(|mut rig| async {
        let id = rig.create(create("flags")).await;
        let staging = rig.driver.staging("flags staging");
        let flagged = |flags: &[&str]| {
            let mount_flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
            let mount = MountVolume { mount_flags, ..MountVolume::default() };
            let access = AccessType::Mount(mount);
            let volume_capability = Some(requests::capability(access, Mode::SingleNodeWriter));
            v1::NodeStageVolumeRequest { volume_capability, ..stage(&id, &staging) }
        };
        let wrong = rig
            .driver
            .node
            .node_stage_volume(flagged(&["nosuch", "sb=hunter2"]))
            .await
            .unwrap_err();
        assert_eq!(wrong.code(), Code::InvalidArgument);
        assert!(wrong.message().contains("Unknown parameter 'nosuch'"), "{wrong:?}");
        assert!(!wrong.message().contains("hunter2"), "{wrong:?}");
        assert_eq!(crate::rig::loops_below(&rig.pool_dir()), Vec::<String>::new());
        rig.driver.node.node_stage_volume(flagged(&["noatime", "logbufs=4"])).await.unwrap();
        let table = MountTable::read().unwrap();
        let mounted = table.at(Path::new(&staging)).unwrap();
        assert!(mounted.options.has("noatime"));
        assert!(mounted.super_options.has("logbufs=4"));
        rig.driver.node.node_unstage_volume(unstage(&id, &staging)).await.unwrap();
        rig.delete(&id).await;
        rig
    });
}

/// Links in the path of kubelet's directory lead to the same mounts.
#[test]
fn a_path_through_a_link_is_the_same_path() {
    with_rig(|mut rig| async {
        let id = rig.create(create("linked")).await;
        fs::create_dir(rig.driver.path("real")).unwrap();
        std::os::unix::fs::symlink("real", rig.driver.path("link")).unwrap();
        let staging = rig.driver.staging("link/staging");
        for _ in 0..2 {
            rig.driver.node.node_stage_volume(stage(&id, &staging)).await.unwrap();
        }
        assert_eq!(mounts_at(&rig.driver.path("real/staging")), 1);
        rig.driver.node.node_unstage_volume(unstage(&id, &staging)).await.unwrap();
        rig.delete(&id).await;
        rig
    });
}

/// A driver that starts before the pool's disk is mounted must not take the mount point for an empty pool.
///
/// > A pool whose disk is not mounted is not made anew in its mount point.
#[test]
fn a_pool_whose_disk_is_missing_is_not_made_anew() {
    with_rig(|mut rig| async {
        let id = rig.create(create("kept")).await;
        let (mut rig, said) = rig.restarted_without_its_disk().await;
        assert!(said.contains("is its file system mounted?"), "{said}");
        rig.delete(&id).await;
        rig
    });
}
