//! Who may use a volume, and how: access modes, read-only, a part of it.

use serde_json::json;

use crate::rig::{Claim, Pod, flow};

#[test]
fn two_pods_of_a_node_share_a_volume() {
    flow("access-shared", async |flow| {
        flow.claim(Claim::new("data", "orlop-fast", "400Mi")).await;
        flow.run(Pod::new("one").claim("data", "/data")).await;
        flow.run(Pod::new("two").claim("data", "/data")).await;
        assert_eq!(flow.node("one").await, flow.node("two").await);
        flow.exec("one", "echo from-one > /data/file");
        assert_eq!(flow.exec("two", "cat /data/file"), "from-one");
        // The volume stays for the other one.
        flow.delete_pod("one").await;
        assert_eq!(flow.exec("two", "cat /data/file"), "from-one");
    });
}

#[test]
fn a_second_pod_waits_for_a_volume_that_one_pod_may_use() {
    flow("access-rwop", async |flow| {
        flow.claim(Claim::new("data", "orlop-fast", "400Mi").mode("ReadWriteOncePod")).await;
        flow.run(Pod::new("one").claim("data", "/data")).await;
        flow.pod(Pod::new("two").claim("data", "/data")).await;
        flow.event_with("two", "FailedScheduling", "ReadWriteOncePod").await;
        flow.delete_pod("one").await;
        flow.running("two").await;
    });
}

/// The volume is where it is: all its pods go there.
#[test]
fn the_pods_of_a_shared_claim_are_put_on_one_node() {
    flow("access-rwx", async |flow| {
        flow.claim(Claim::new("data", "orlop-fast", "400Mi").mode("ReadWriteMany")).await;
        flow.run(Pod::new("one").claim("data", "/data")).await;
        let elsewhere = if flow.node("one").await == "n1" { "n2" } else { "n1" };
        flow.run(Pod::new("two").claim("data", "/data")).await;
        assert_eq!(flow.node("two").await, flow.node("one").await);
        flow.pod(Pod::new("three").claim("data", "/data").on(elsewhere)).await;
        flow.event_with("three", "FailedScheduling", "PersistentVolume's node affinity").await;
    });
}

#[test]
fn a_read_only_mount_takes_no_writes_while_another_one_does() {
    flow("access-read-only", async |flow| {
        flow.claim(Claim::new("data", "orlop-fast", "400Mi")).await;
        flow.run(Pod::new("writer").claim("data", "/data")).await;
        flow.exec("writer", "echo something > /data/file");
        let source = json!({ "claimName": "data", "readOnly": true });
        let volume = json!({ "persistentVolumeClaim": source });
        flow.run(Pod::new("reader").volume("data", volume, "/data")).await;
        assert_eq!(flow.exec("reader", "cat /data/file"), "something");
        let said = flow.exec_fails("reader", "echo more > /data/file");
        assert!(said.contains("Read-only file system"), "{said}");
        flow.exec("writer", "echo more > /data/file");
    });
}

#[test]
fn a_pod_mounts_parts_of_a_volume() {
    flow("access-sub-path", async |flow| {
        flow.claim(Claim::new("data", "orlop-fast", "400Mi")).await;
        let part =
            |path: &str, part: &str| json!({ "name": "data", "mountPath": path, "subPath": part });
        let pod = Pod::new("user").claim("data", "/all");
        flow.run(pod.mount(part("/left", "left")).mount(part("/right", "deep/right"))).await;
        flow.exec("user", "echo l > /left/file && echo r > /right/file");
        assert_eq!(flow.exec("user", "cat /all/left/file /all/deep/right/file"), "l\nr");
    });
}
