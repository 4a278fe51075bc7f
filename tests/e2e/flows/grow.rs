//! Larger volumes: while they are used, while they are not, while there is a snapshot, and when there is no room.

use serde_json::json;

use crate::rig::{Claim, Class, Flow, Pod, cut, flow};

#[test]
fn an_xfs_volume_grows_under_its_pod() {
    flow("grow-xfs", async |flow| online(flow, "xfs").await);
}

#[test]
fn a_btrfs_volume_grows_under_its_pod() {
    flow("grow-btrfs", async |flow| online(flow, "btrfs").await);
}

#[test]
fn a_raw_volume_grows_under_its_pod() {
    flow("grow-block", async |flow| {
        flow.claim(Claim::new("disk", "orlop-fast", "64Mi").block()).await;
        flow.run(Pod::new("user").device("disk", "/dev/disk")).await;
        flow.resize("disk", "128Mi").await;
        flow.sized("disk", "128Mi").await;
        assert_eq!(flow.exec("user", "blockdev --getsize64 /dev/disk"), "134217728");
    });
}

/// A mounted ext4 takes a capability that a container has, and some machines do not.
#[test]
fn an_ext4_volume_has_grown_when_its_next_pod_starts() {
    flow("grow-ext4", async |flow| {
        let class = flow.class("ext4", Class::new("fast").fs("ext4")).await;
        flow.claim(Claim::new("data", &class, "320Mi")).await;
        flow.run(Pod::new("first").claim("data", "/data")).await;
        flow.exec("first", "echo something > /data/file && sync");
        flow.delete_pod("first").await;
        // Kubelet lets go of a volume a moment after its last pod.
        flow.unstaged("data").await;
        flow.resize("data", "640Mi").await;
        let pending = async || {
            let claim = flow.get("persistentvolumeclaims", "data").await;
            claim["status"].to_string().contains("FileSystemResizePending").then_some(())
        };
        flow.until("the image has grown", pending).await;
        flow.run(Pod::new("second").claim("data", "/data")).await;
        flow.sized("data", "640Mi").await;
        assert!(mebibytes(flow, "second") > 520);
        assert_eq!(flow.exec("second", "cat /data/file"), "something");
    });
}

#[test]
fn a_volume_grows_while_there_is_a_snapshot_of_it() {
    flow("grow-with-snapshot", async |flow| {
        flow.claim(Claim::new("data", "orlop-thin", "320Mi")).await;
        flow.run(Pod::new("user").claim("data", "/data")).await;
        flow.exec("user", "echo before > /data/file && sync");
        let snapshot = cut(flow, "before", "data").await;
        assert_eq!(snapshot["status"]["restoreSize"], "320Mi");
        flow.resize("data", "640Mi").await;
        flow.sized("data", "640Mi").await;
        flow.exec("user", "echo after > /data/file && sync");

        let restored =
            Claim::new("restored", "orlop-thin-immediate", "320Mi").restored_from("before");
        flow.claim(restored).await;
        flow.run(Pod::new("reader").claim("restored", "/data")).await;
        assert_eq!(flow.exec("reader", "cat /data/file"), "before");
        assert!(mebibytes(flow, "reader") < 320);
    });
}

#[test]
fn a_size_that_nothing_has_room_for_is_refused_and_can_be_lowered_again() {
    flow("grow-refused", async |flow| {
        flow.claim(Claim::new("data", "orlop-fast", "320Mi")).await;
        flow.run(Pod::new("user").claim("data", "/data")).await;
        flow.resize("data", "1Ti").await;
        let said = flow.event("data", "VolumeResizeFailed").await;
        // The pool, what was asked and what is free.
        assert!(said.contains("fast"), "{said}");
        assert!(said.contains("1 TiB") && said.contains("free"), "{said}");

        flow.resize("data", "480Mi").await;
        flow.sized("data", "480Mi").await;
        assert!(mebibytes(flow, "user") > 380);
        let volume = flow.volume("data").await;
        let object = flow.api.get(&format!("/apis/orlop.dev/v1alpha1/volumes/{volume}")).await;
        let object = object.unwrap();
        assert_eq!(object["status"]["bytes"], 480 << 20);
        assert_eq!(object["status"].get("error"), None, "{object}");
    });
}

async fn online(flow: &Flow, fs: &str) {
    let class = flow.class(fs, Class::new("fast").fs(fs)).await;
    flow.claim(Claim::new("data", &class, "320Mi")).await;
    flow.run(Pod::new("user").claim("data", "/data")).await;
    flow.exec("user", "echo something > /data/file");
    flow.resize("data", "640Mi").await;
    flow.sized("data", "640Mi").await;
    assert!(mebibytes(flow, "user") > 520);
    assert_eq!(flow.exec("user", "cat /data/file"), "something");
    let volume = flow.bound("data").await;
    assert_eq!(volume["spec"]["capacity"]["storage"], json!("640Mi"));
}

/// The size of the file system, as its pod sees it.
fn mebibytes(flow: &Flow, pod: &str) -> u64 {
    flow.exec(pod, "df -m /data | awk 'NR == 2 {print $2}'").parse().unwrap()
}
