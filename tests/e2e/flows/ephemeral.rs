//! A volume that lives as long as its pod.

use serde_json::json;

use crate::rig::{Claim, Pod, flow};

#[test]
fn a_generic_ephemeral_volume_goes_with_its_pod() {
    flow("ephemeral-generic", async |flow| {
        let spec = Claim::new("", "orlop-thin", "320Mi");
        let volume = json!({ "ephemeral": { "volumeClaimTemplate": { "spec": spec.spec() } } });
        flow.run(Pod::new("user").volume("scratch", volume, "/scratch")).await;
        flow.exec("user", "echo something > /scratch/file");
        let volume = flow.bound("user-scratch").await;
        flow.delete_pod("user").await;
        flow.gone(&flow.path("persistentvolumeclaims", "user-scratch")).await;
        let name = volume["metadata"]["name"].as_str().unwrap();
        flow.gone(&format!("/api/v1/persistentvolumes/{name}")).await;
    });
}
