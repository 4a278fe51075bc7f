//! Snapshots, what is made from them, and copies of volumes.

use serde_json::json;

use crate::rig::{Claim, DRIVER, Pod, cut, flow, group};

#[test]
fn a_snapshot_is_restored_also_to_a_larger_volume() {
    flow("copies-restore", async |flow| {
        flow.claim(Claim::new("data", "orlop-thin", "320Mi")).await;
        flow.run(Pod::new("user").claim("data", "/data")).await;
        flow.exec("user", "echo before > /data/file && sync");
        cut(flow, "cut", "data").await;
        flow.exec("user", "echo after > /data/file && sync");
        for (name, size, more) in [("same", "320Mi", 0), ("larger", "640Mi", 520)] {
            let claim = Claim::new(name, "orlop-thin-immediate", size).restored_from("cut");
            flow.claim(claim).await;
            flow.run(Pod::new(name).claim(name, "/data")).await;
            assert_eq!(flow.exec(name, "cat /data/file"), "before");
            let size = flow.exec(name, "df -m /data | awk 'NR == 2 {print $2}'");
            assert!(size.parse::<u64>().unwrap() > more, "{name}: {size}");
        }
        assert_eq!(flow.exec("user", "cat /data/file"), "after");
    });
}

#[test]
fn a_clone_starts_as_its_source_was_also_larger() {
    flow("copies-clone", async |flow| {
        flow.claim(Claim::new("data", "orlop-thin", "320Mi")).await;
        flow.run(Pod::new("user").claim("data", "/data")).await;
        flow.exec("user", "echo before > /data/file && sync");
        for (name, size) in [("same", "320Mi"), ("larger", "640Mi")] {
            flow.claim(Claim::new(name, "orlop-thin-immediate", size).clone_of("data")).await;
            flow.run(Pod::new(name).claim(name, "/data")).await;
            assert_eq!(flow.exec(name, "cat /data/file"), "before");
            flow.exec(name, "echo mine > /data/file");
        }
        assert_eq!(flow.exec("user", "cat /data/file"), "before");
    });
}

#[test]
fn a_restore_to_a_smaller_volume_is_refused() {
    flow("copies-smaller", async |flow| {
        flow.claim(Claim::new("data", "orlop-thin-immediate", "640Mi")).await;
        flow.bound("data").await;
        cut(flow, "cut", "data").await;
        let claim = Claim::new("smaller", "orlop-thin-immediate", "320Mi").restored_from("cut");
        flow.claim(claim).await;
        let said = flow.event("smaller", "ProvisioningFailed").await;
        assert!(said.contains("less than the size"), "{said}");
    });
}

/// The scheduler puts the pod where the restored volume has to be, and the fresh one is made there.
#[test]
fn a_pod_has_a_restored_volume_and_a_fresh_one() {
    flow("copies-restored-and-fresh", async |flow| {
        flow.claim(Claim::new("data", "orlop-thin", "320Mi")).await;
        flow.run(Pod::new("user").claim("data", "/data")).await;
        flow.exec("user", "echo before > /data/file && sync");
        cut(flow, "cut", "data").await;
        let claim = Claim::new("restored", "orlop-thin-immediate", "320Mi").restored_from("cut");
        flow.claim(claim).await;
        flow.claim(Claim::new("fresh", "orlop-thin", "320Mi")).await;
        flow.run(Pod::new("both").claim("restored", "/restored").claim("fresh", "/fresh")).await;
        assert_eq!(flow.node("both").await, flow.node("user").await);
        assert_eq!(flow.exec("both", "cat /restored/file"), "before");
        flow.exec("both", "cp /restored/file /fresh/");
    });
}

#[test]
fn the_volumes_of_a_group_are_cut_at_one_instant() {
    flow("copies-group", async |flow| {
        let label = json!({ "metadata": { "labels": { "group": "both" } } });
        for name in ["left", "right"] {
            flow.claim(Claim::new(name, "orlop-thin", "320Mi")).await;
            flow.patch("persistentvolumeclaims", name, &label).await.unwrap();
        }
        flow.run(Pod::new("user").claim("left", "/left").claim("right", "/right")).await;
        // Right never has a number that left does not have.
        let counting = "i=0; while [ ! -e /left/stop ]; do i=$((i + 1)); \
            echo $i >> /left/number && sync /left/number && echo $i >> /right/number && sync /right/number; done";
        let mut writer = flow.exec_beside("user", counting);
        flow.until("both have numbers", async || {
            (flow.exec("user", "tail -q -n 1 /left/number /right/number 2>/dev/null | wc -l")
                == "2")
                .then_some(())
        })
        .await;
        group(flow, "cut", "both").await;
        flow.exec("user", "touch /left/stop");
        assert!(writer.wait().unwrap().success());

        let snapshots = flow.get("snapshot.storage.k8s.io/volumesnapshots", "").await;
        let snapshots = snapshots["items"].as_array().unwrap();
        assert_eq!(snapshots.len(), 2);
        for snapshot in snapshots {
            let name = snapshot["metadata"]["name"].as_str().unwrap();
            let of = snapshot["spec"]["source"]["persistentVolumeClaimName"].as_str();
            // The source of a member is told by its content.
            let of = match of {
                Some(claim) => claim.to_owned(),
                None => source(flow, snapshot).await,
            };
            let claim = Claim::new(&format!("{of}-then"), "orlop-thin-immediate", "320Mi");
            flow.claim(claim.restored_from(name)).await;
        }
        let pod = Pod::new("reader").claim("left-then", "/left").claim("right-then", "/right");
        flow.run(pod).await;
        let number = |side: &str| -> u64 {
            flow.exec("reader", &format!("tail -n 1 /{side}/number")).parse().unwrap()
        };
        let (left, right) = (number("left"), number("right"));
        assert!(left == right || left == right + 1, "left {left}, right {right}");
        for side in ["left-then", "right-then"] {
            assert_eq!(flow.bound(side).await["spec"]["csi"]["driver"], DRIVER);
        }
    });
}

/// Returns the claim that a member of a group is a snapshot of.
async fn source(flow: &crate::rig::Flow, snapshot: &serde_json::Value) -> String {
    let content = snapshot["status"]["boundVolumeSnapshotContentName"].as_str().unwrap();
    let kind = "/apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents";
    let content = flow.api.get(&format!("{kind}/{content}")).await.unwrap();
    let snapshot = content["status"]["snapshotHandle"].as_str().unwrap();
    let (group, _) = snapshot.rsplit_once('-').unwrap();
    let path = format!("/apis/orlop.dev/v1alpha1/groupsnapshots/{group}");
    let group = flow.api.get(&path).await.unwrap();
    let members = group["status"]["members"].as_array().unwrap();
    let member = members.iter().find(|member| member["id"] == snapshot).unwrap();
    for claim in ["left", "right"] {
        if member["source"] == flow.volume(claim).await {
            return claim.to_owned();
        }
    }
    panic!("{member} is of neither");
}
