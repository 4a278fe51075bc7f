//! A node that loses power: all its processes, mounts and loop devices are gone, and its files are there.

use serde_json::json;

use crate::rig::{Claim, NODES, Pod, flow};

#[test]
fn pods_come_back_with_their_data_after_a_reboot() {
    flow("reboot", async |flow| {
        let node = NODES[0];
        flow.claim(Claim::new("data", "orlop-fast", "400Mi")).await;
        flow.claim(Claim::new("disk", "orlop-thin", "64Mi").block()).await;
        let pod = Pod::new("user").claim("data", "/data").device("disk", "/dev/disk");
        flow.run(pod.on(node.0).with("restartPolicy", json!("Always"))).await;
        flow.exec("user", "echo something > /data/file && sync");
        flow.exec("user", "echo raw | dd of=/dev/disk conv=fsync 2>/dev/null");

        node.reboot();
        let again = async || {
            let pod = flow.get("pods", "user").await;
            let started = pod["status"]["containerStatuses"][0]["restartCount"].as_u64()?;
            (started > 0 && flow.is_ready("user").await).then_some(())
        };
        flow.until("the pod runs again", again).await;
        assert_eq!(flow.exec("user", "cat /data/file"), "something");
        assert_eq!(flow.exec("user", "head -c 3 /dev/disk"), "raw");
    });
}
