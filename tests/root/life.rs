//! The whole life of a volume of each kind, through the socket, on the real kernel.

use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use orlop::csi::v1;
use orlop::csi::v1::volume_capability::access_mode::Mode;
use orlop::sys::capability::{Capability, has};
use orlop::sys::statvfs::usage;
use tonic::Code;

use crate::driver::text;
use crate::requests::{
    self, MIB, at_least, create, delete_snapshot, expand, file_system, node_expand, of_snapshot,
    of_volume, snapshot, stats,
};
use crate::rig::{Rig, with_rig};

/// Writes the words where the pod of a volume would: into a file, or to the start of the device.
fn write(at: &Path, words: &str) {
    if at.is_dir() {
        fs::write(at.join("words"), words).unwrap();
        return;
    }
    let mut device = OpenOptions::new().write(true).open(at).unwrap();
    device.write_all(words.as_bytes()).unwrap();
    device.sync_all().unwrap();
}

fn read(at: &Path, length: usize) -> String {
    if at.is_dir() {
        return fs::read_to_string(at.join("words")).unwrap();
    }
    let mut words = vec![0; length];
    let mut device = fs::File::open(at).unwrap();
    device.seek(SeekFrom::Start(0)).unwrap();
    device.read_exact(&mut words).unwrap();
    String::from_utf8(words).unwrap()
}

fn size(at: &Path) -> u64 {
    if at.is_dir() { usage(at).unwrap().total_bytes } else { orlop::sys::block::size(at).unwrap() }
}

/// Creates, writes, cuts, changes, restores larger, clones, grows and deletes.
async fn live(mut rig: Rig, capability: v1::VolumeCapability) -> Rig {
    let with = |name: &str| v1::CreateVolumeRequest {
        volume_capabilities: vec![capability.clone()],
        ..create(name)
    };
    let source = rig.create(with("source")).await;
    let at = rig.publish(&source, &capability).await;
    write(&at, "first");

    let cut = rig.driver.controller.create_snapshot(snapshot("cut", &source)).await.unwrap();
    let cut = cut.into_inner().snapshot.unwrap().snapshot_id;
    write(&at, "later");
    let larger = v1::CreateVolumeRequest {
        capacity_range: at_least(768 * MIB),
        volume_content_source: of_snapshot(&cut),
        ..with("restored")
    };
    let restored = rig.create(larger).await;
    let clone = v1::CreateVolumeRequest {
        capacity_range: None,
        volume_content_source: of_volume(&source),
        ..with("clone")
    };
    let clone = rig.create(clone).await;
    // Side by side on one node: two file systems with one UUID would not mount, or corrupt each other.
    let restored_at = rig.publish(&restored, &capability).await;
    let clone_at = rig.publish(&clone, &capability).await;
    assert_eq!(read(&at, 5), "later");
    assert_eq!(read(&restored_at, 5), "first");
    assert_eq!(read(&clone_at, 5), "later");
    assert!(size(&restored_at) > 600 << 20, "{} was not grown", size(&restored_at));

    grow(&mut rig, &source, &at, &capability).await;
    let usage = rig.driver.node.node_get_volume_stats(stats(&source, &text(&at))).await.unwrap();
    assert!(usage.into_inner().usage[0].total > 0);

    rig.driver.controller.delete_snapshot(delete_snapshot(&cut)).await.unwrap();
    for id in [&source, &restored, &clone] {
        let busy = rig.driver.controller.delete_volume(requests::delete(id)).await.unwrap_err();
        assert_eq!(busy.code(), Code::FailedPrecondition, "{busy:?}");
        rig.unpublish(id).await;
        rig.delete(id).await;
    }
    rig
}

/// Grows the published volume; a mounted ext4 grows only where the driver may.
async fn grow(rig: &mut Rig, id: &str, at: &Path, capability: &v1::VolumeCapability) {
    let before = size(at);
    rig.driver.controller.controller_expand_volume(expand(id, 1024 * MIB)).await.unwrap();
    let grown = rig.driver.node.node_expand_volume(node_expand(id, &text(at))).await;
    let is_ext4 = *capability == file_system("ext4", Mode::SingleNodeWriter);
    if is_ext4 && !has(Capability::SysResource).unwrap() {
        let refused = grown.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert!(refused.message().contains("CAP_SYS_RESOURCE"), "{refused:?}");
        // It grows where it is not mounted: at its next stage.
        rig.unpublish(id).await;
        rig.publish(id, capability).await;
    } else {
        assert_eq!(grown.unwrap().into_inner().capacity_bytes, 1024 * MIB);
    }
    assert!(size(at) > before + (400 << 20), "{before} → {}", size(at));
}

/// > A volume that a pod uses is not deleted: FAILED_PRECONDITION, and the pod goes on.
#[test]
fn xfs() {
    with_rig(|rig| live(rig, file_system("xfs", Mode::SingleNodeWriter)));
}

#[test]
fn ext4() {
    with_rig(|rig| live(rig, file_system("ext4", Mode::SingleNodeWriter)));
}

#[test]
fn btrfs() {
    with_rig(|rig| live(rig, file_system("btrfs", Mode::SingleNodeWriter)));
}

#[test]
fn block() {
    with_rig(|rig| live(rig, requests::block()));
}
