//! Many at once.

use crate::rig::{Claim, Pod, flow};

const PODS: usize = 20;

#[test]
fn twenty_pods_with_volumes_start_at_once() {
    flow("many", async |flow| {
        for number in 0..PODS {
            let name = format!("user-{number}");
            flow.claim(Claim::new(&name, "orlop-thin", "320Mi")).await;
            flow.pod(Pod::new(&name).claim(&name, "/data")).await;
        }
        for number in 0..PODS {
            flow.running(&format!("user-{number}")).await;
        }
        for number in [0, PODS - 1] {
            let name = format!("user-{number}");
            flow.exec(&name, "echo something > /data/file && sync && cat /data/file");
        }
    });
}
