//! What hangs or dies delays its own volume, and nobody else's.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use orlop::csi::v1;
use orlop::csi::v1::controller_client::ControllerClient;
use orlop::csi::v1::identity_client::IdentityClient;
use orlop::csi::v1::node_client::NodeClient;
use orlop::csi::v1::volume_capability::access_mode::Mode;
use orlop::sys::mountinfo::MountTable;
use tonic::Code;
use tonic::transport::Channel;

use crate::driver::{connect, text};
use crate::process::Process;
use crate::requests::{block, create, delete, file_system, publish, stage, unpublish, unstage};
use crate::rig::{Ground, loops_below};
use crate::support::in_mount_namespace;

const PATIENCE: Duration = Duration::from_secs(20);

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn of(fs: &str, name: &str) -> v1::CreateVolumeRequest {
    let volume_capabilities = vec![file_system(fs, Mode::SingleNodeWriter)];
    v1::CreateVolumeRequest { volume_capabilities, ..create(name) }
}

async fn id_of(
    controller: &mut ControllerClient<Channel>,
    wish: v1::CreateVolumeRequest,
) -> String {
    controller.create_volume(wish).await.unwrap().into_inner().volume.unwrap().volume_id
}

/// Writes a program that others take for `mkfs.xfs`.
fn program(at: &Path, script: &str) {
    let new = at.with_extension("new");
    fs::write(&new, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(new, at).unwrap();
}

async fn pid_in(path: &Path) -> Pid {
    let began = Instant::now();
    loop {
        let text = fs::read_to_string(path).unwrap_or_default();
        if let Some(pid) = text.strip_suffix('\n') {
            return Pid::from_raw(pid.parse().unwrap());
        }
        assert!(began.elapsed() < PATIENCE, "the program was not started");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// > A program that hangs delays its own volume only.
#[test]
fn a_program_that_hangs_delays_its_own_volume_alone() {
    in_mount_namespace();
    let ground = Ground::new();
    let at = |name: &str| ground.path().join(name);
    let (mkfs, pid) = (at("bin/mkfs.xfs"), at("pid"));
    fs::create_dir(at("bin")).unwrap();
    fs::create_dir(at("staging")).unwrap();
    program(&mkfs, &format!("echo $$ > {}\nexec /bin/sleep 600", pid.display()));
    let config = format!(
        "programDirs: [{}, /usr/sbin, /sbin, /usr/bin, /bin]\npools: [{{name: default, kind: image, path: {}}}]\n",
        at("bin").display(),
        at("pool").display()
    );
    let driver = Process::start(ground.path(), &config, &[]);
    runtime().block_on(async {
        let channel = connect(driver.socket.clone()).await;
        let mut controller = ControllerClient::new(channel.clone());
        let (mut node, mut identity) =
            (NodeClient::new(channel.clone()), IdentityClient::new(channel.clone()));
        let mut other = controller.clone();
        let hanging = tokio::spawn(async move { other.create_volume(of("xfs", "hangs")).await });
        let program_id = pid_in(&pid).await;

        let began = Instant::now();
        identity.probe(v1::ProbeRequest::default()).await.unwrap();
        let id = id_of(&mut controller, of("ext4", "goes on")).await;
        let staging = text(&at("staging"));
        let volume_capability = Some(file_system("ext4", Mode::SingleNodeWriter));
        let wish = v1::NodeStageVolumeRequest { volume_capability, ..stage(&id, &staging) };
        node.node_stage_volume(wish).await.unwrap();
        node.node_unstage_volume(unstage(&id, &staging)).await.unwrap();
        controller.delete_volume(delete(&id)).await.unwrap();
        controller.get_capacity(v1::GetCapacityRequest::default()).await.unwrap();
        let all = controller.list_volumes(v1::ListVolumesRequest::default()).await.unwrap();
        assert_eq!(all.into_inner().entries, []);
        // The volume itself is told so at once.
        let again = controller.create_volume(of("xfs", "hangs")).await.unwrap_err();
        assert_eq!(again.code(), Code::Aborted, "{again:?}");
        assert!(began.elapsed() < PATIENCE);
        assert!(!hanging.is_finished());

        // It ends without having done anything; then the same call finds a program that works.
        program(&mkfs, "exec /usr/sbin/mkfs.xfs \"$@\"");
        kill(program_id, Signal::SIGKILL).unwrap();
        let failed = hanging.await.unwrap().unwrap_err();
        assert!(failed.message().contains("mkfs.xfs"), "{failed:?}");
        let id = id_of(&mut controller, of("xfs", "hangs")).await;
        controller.delete_volume(delete(&id)).await.unwrap();
    });
    assert!(driver.stop().success());
}

/// What is missing on the node is named, and nothing of the attempt is left.
#[test]
fn a_missing_program_and_an_unwritable_directory_are_named() {
    in_mount_namespace();
    let ground = Ground::new();
    let at = |name: &str| ground.path().join(name);
    fs::create_dir(at("bin")).unwrap();
    for name in ["mkfs.xfs", "mkfs.ext4", "blkid"] {
        std::os::unix::fs::symlink(Path::new("/usr/sbin").join(name), at("bin").join(name))
            .unwrap();
    }
    let config = format!(
        "programDirs: [{}]\npools: [{{name: default, kind: image, path: {}}}]\n",
        at("bin").display(),
        at("pool").display()
    );
    let driver = Process::start(ground.path(), &config, &[]);
    fs::create_dir(at("staging")).unwrap();
    let closed = crate::support::new_dir(ground.path(), "closed");
    let options = orlop::sys::mount::MountOptions::read_only();
    orlop::sys::mount::mount("tmpfs", Path::new("tmpfs"), &closed, &options).unwrap();
    runtime().block_on(async {
        let channel = connect(driver.socket.clone()).await;
        let (mut controller, mut node) =
            (ControllerClient::new(channel.clone()), NodeClient::new(channel));
        let refused = controller.create_volume(of("btrfs", "none")).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition, "{refused:?}");
        assert!(refused.message().contains("install the package btrfs-progs"), "{refused:?}");
        for room in ["new", "volumes"] {
            assert_eq!(fs::read_dir(at("pool").join(room)).unwrap().count(), 0, "{room}");
        }
        // One that is uninstalled while the driver runs, likewise.
        fs::remove_file(at("bin/mkfs.xfs")).unwrap();
        let refused = controller.create_volume(of("xfs", "none")).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition, "{refused:?}");
        assert!(refused.message().contains("install the package xfsprogs"), "{refused:?}");

        let id = id_of(&mut controller, of("ext4", "some")).await;
        let (staging, target) = (text(&at("staging")), text(&closed.join("target")));
        let volume_capability = Some(file_system("ext4", Mode::SingleNodeWriter));
        let wish =
            v1::NodePublishVolumeRequest { volume_capability, ..publish(&id, &staging, &target) };
        let refused = node.node_publish_volume(wish).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition, "{refused:?}");
        assert!(refused.message().contains(&target), "{refused:?}");
        assert!(MountTable::read().unwrap().at(&at("staging")).is_none());
        assert_eq!(loops_below(&at("pool")), Vec::<String>::new());
        controller.delete_volume(delete(&id)).await.unwrap();
    });
    assert!(driver.stop().success());
    orlop::sys::mount::unmount(&closed).unwrap();
}

/// kubelet must get rid of its mounts when the pool's disk is gone.
///
/// > Both work on a pool whose disk is dead.
#[test]
fn unpublish_and_unstage_work_on_a_dead_pool() {
    in_mount_namespace();
    let ground = Ground::new();
    let at = |name: &str| ground.path().join(name);
    let config =
        format!("pools: [{{name: default, kind: image, path: {}}}]\n", at("pool").display());
    let driver = Process::start(ground.path(), &config, &[]);
    let runtime = runtime();
    runtime.block_on(async {
        let channel = connect(driver.socket.clone()).await;
        let (mut controller, mut node) =
            (ControllerClient::new(channel.clone()), NodeClient::new(channel));
        let mut published = Vec::new();
        for (number, capability) in [
            file_system("xfs", Mode::SingleNodeWriter),
            file_system("ext4", Mode::SingleNodeWriter),
            block(),
        ]
        .into_iter()
        .enumerate()
        {
            let (staging, target) =
                (at(&format!("staging-{number}")), at(&format!("target-{number}")));
            fs::create_dir(&staging).unwrap();
            let wish = v1::CreateVolumeRequest {
                volume_capabilities: vec![capability.clone()],
                ..create(&format!("pvc-{number}"))
            };
            let id = id_of(&mut controller, wish).await;
            let wish = v1::NodePublishVolumeRequest {
                volume_capability: Some(capability),
                ..publish(&id, &text(&staging), &text(&target))
            };
            node.node_publish_volume(wish).await.unwrap();
            published.push((id, staging, target));
        }
        // What a pod has written and the disk has not.
        fs::write(published[0].2.join("file"), vec![1; 1 << 20]).unwrap();
        let dead =
            Command::new("xfs_io").args(["-x", "-c", "shutdown -f"]).arg(at("pool")).status();
        assert!(dead.unwrap().success());
        assert!(fs::read_dir(at("pool")).and_then(|mut all| all.next().transpose()).is_err());

        for (id, staging, target) in &published {
            for _ in 0..2 {
                node.node_unpublish_volume(unpublish(id, &text(target))).await.unwrap();
                node.node_unstage_volume(unstage(id, &text(staging))).await.unwrap();
            }
            assert!(!target.exists());
            let table = MountTable::read().unwrap();
            let left = table.iter().find(|mount| mount.at == *staging || mount.at == *target);
            assert!(left.is_none(), "{left:?}");
        }
    });
    driver.kill();
    assert_eq!(loops_below(&at("pool")), Vec::<String>::new());
}
