//! From the version before to this one, while a pod writes.

use super::writer;
use crate::rig::{Claim, Pod, chart, flow};

#[test]
fn a_pod_writes_on_while_orlop_is_upgraded_from_the_version_before() {
    flow("upgrade", async |flow| {
        chart::install_previous();
        flow.claim(Claim::new("data", "orlop-fast", "400Mi")).await;
        writer::start(flow, "data").await;
        chart::install();
        writer::is_well(flow).await;
        flow.delete_pod("writer").await;
        flow.run(Pod::new("reader").claim("data", "/data")).await;
        assert_eq!(flow.exec("reader", "stat -c %s /data/fio.0.0"), "67108864");
    });
}
