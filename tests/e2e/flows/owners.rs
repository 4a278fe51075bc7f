//! Who a volume belongs to: fsGroup, with both policies for changing it.

use serde_json::json;

use crate::rig::{Claim, Pod, flow};

#[test]
fn a_user_without_rights_writes_with_the_group_of_its_pod() {
    flow("owners-always", async |flow| {
        flow.claim(Claim::new("data", "orlop-fast", "400Mi")).await;
        flow.run(owned("first", "Always", 2000)).await;
        flow.exec("first", "mkdir /data/dir && echo something > /data/dir/file");
        assert_eq!(flow.exec("first", "stat -c '%u %g' /data/dir/file"), "1000 2000");
        flow.delete_pod("first").await;
        // Another group is given all that is there.
        flow.run(owned("second", "Always", 3000)).await;
        assert_eq!(flow.exec("second", "stat -c %g /data/dir/file"), "3000");
        flow.exec("second", "echo more >> /data/dir/file");
    });
}

#[test]
fn files_are_left_alone_where_the_root_has_the_group_already() {
    flow("owners-on-root-mismatch", async |flow| {
        flow.claim(Claim::new("data", "orlop-fast", "400Mi")).await;
        flow.run(owned("first", "OnRootMismatch", 2000)).await;
        flow.exec("first", "echo something > /data/file");
        flow.run(Pod::new("root").claim("data", "/data")).await;
        flow.exec("root", "chown 0:4000 /data/file");
        flow.delete_pod("root").await;
        flow.delete_pod("first").await;
        flow.run(owned("second", "OnRootMismatch", 2000)).await;
        assert_eq!(flow.exec("second", "stat -c %g /data /data/file"), "2000\n4000");
    });
}

fn owned(name: &str, policy: &str, group: u32) -> Pod {
    let context = json!({
        "runAsUser": 1000,
        "runAsGroup": 1000,
        "fsGroup": group,
        "fsGroupChangePolicy": policy,
    });
    Pod::new(name).claim("data", "/data").with("securityContext", context)
}
