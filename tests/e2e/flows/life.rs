//! A claim, a pod that writes, another that reads, and nothing left.

use serde_json::json;

use crate::rig::{Claim, Class, Flow, Pod, flow};

#[test]
fn a_pod_reads_what_another_one_wrote() {
    flow("life", async |flow| {
        // Nothing is made before a pod needs it: the scheduler has to choose the node first.
        flow.claim(Claim::new("data", "orlop-fast", "400Mi")).await;
        flow.event("data", "WaitForFirstConsumer").await;
        written_and_read(flow, "data").await;
    });
}

#[test]
fn a_volume_can_be_made_before_there_is_a_pod() {
    flow("life-immediate", async |flow| {
        flow.claim(Claim::new("data", "orlop-fast-immediate", "400Mi")).await;
        flow.bound("data").await;
        written_and_read(flow, "data").await;
    });
}

#[test]
fn an_ext4_volume_keeps_what_is_written() {
    flow("life-ext4", async |flow| with_fs(flow, "ext4").await);
}

#[test]
fn a_btrfs_volume_keeps_what_is_written() {
    flow("life-btrfs", async |flow| with_fs(flow, "btrfs").await);
}

#[test]
fn a_raw_volume_is_a_device_of_the_size_that_was_asked_for() {
    flow("life-block", async |flow| {
        flow.claim(Claim::new("disk", "orlop-fast", "64Mi").block()).await;
        flow.run(Pod::new("writer").device("disk", "/dev/disk")).await;
        assert_eq!(flow.exec("writer", "blockdev --getsize64 /dev/disk"), "67108864");
        flow.exec("writer", "echo raw | dd of=/dev/disk conv=fsync 2>/dev/null");
        flow.delete_pod("writer").await;
        flow.run(Pod::new("reader").device("disk", "/dev/disk")).await;
        assert_eq!(flow.exec("reader", "head -c 3 /dev/disk"), "raw");
    });
}

#[test]
fn a_namespace_goes_with_everything_in_it() {
    flow("life-namespace", async |flow| {
        for number in 1..=3 {
            let claim = format!("data-{number}");
            flow.claim(Claim::new(&claim, "orlop-thin", "320Mi")).await;
            flow.run(Pod::new(&format!("user-{number}")).claim(&claim, "/data")).await;
        }
        // What the end of each flow does, with pods that run.
    });
}

#[test]
fn a_mount_has_the_options_of_its_class() {
    flow("life-options", async |flow| {
        let class = Class::new("fast").with("mountOptions", json!(["noatime", "nodiscard"]));
        let class = flow.class("noatime", class).await;
        flow.claim(Claim::new("data", &class, "400Mi")).await;
        flow.run(Pod::new("user").claim("data", "/data")).await;
        let options = flow.exec("user", "grep ' /data ' /proc/mounts");
        assert!(options.contains("noatime"), "{options}");
    });
}

#[test]
fn a_mount_option_that_nobody_knows_is_said_in_an_event() {
    flow("life-wrong-option", async |flow| {
        let class = Class::new("fast").with("mountOptions", json!(["nosuchoption"]));
        let class = flow.class("wrong", class).await;
        flow.claim(Claim::new("data", &class, "400Mi")).await;
        flow.pod(Pod::new("user").claim("data", "/data")).await;
        let said = flow.event_with("user", "FailedMount", "nosuchoption").await;
        assert!(said.contains("InvalidArgument"), "{said}");
    });
}

async fn with_fs(flow: &Flow, fs: &str) {
    let class = flow.class(fs, Class::new("fast").fs(fs)).await;
    flow.claim(Claim::new("data", &class, "400Mi")).await;
    written_and_read(flow, "data").await;
    let mount = flow.exec("reader", "grep ' /data ' /proc/mounts");
    assert!(mount.contains(&format!(" {fs} ")), "{mount}");
}

async fn written_and_read(flow: &Flow, claim: &str) {
    flow.run(Pod::new("writer").claim(claim, "/data")).await;
    flow.exec("writer", "echo something > /data/file && sync");
    flow.delete_pod("writer").await;
    flow.run(Pod::new("reader").claim(claim, "/data")).await;
    assert_eq!(flow.exec("reader", "cat /data/file"), "something");
}
