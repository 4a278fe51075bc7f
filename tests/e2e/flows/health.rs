//! What is the matter with a volume, where Kubernetes shows it: in the pod's status and in the CSINode.

use serde_json::Value;

use crate::rig::{Claim, DRIVER, Node, Pod, flow};

#[test]
fn a_volume_whose_file_is_gone_is_shown_in_the_status_of_its_pod() {
    flow("health", async |flow| {
        flow.claim(Claim::new("data", "orlop-thin", "320Mi")).await;
        flow.run(Pod::new("user").claim("data", "/data")).await;
        let volume = flow.volume("data").await;
        let node = if flow.node("user").await == "n1" { Node("n1") } else { Node("n2") };
        let image = node.run(&format!("find /var/lib/orlop -path '*{volume}*' -name data.img"));
        let image = image.trim();
        assert!(!image.is_empty(), "no image of {volume}");
        node.run(&format!("mv {image} {image}.away"));

        let shown = async || {
            let pod = flow.get("pods", "user").await;
            let health = pod["status"]["volumeHealth"].as_array()?.first()?.clone();
            health.to_string().contains("ImageMissing").then_some(health)
        };
        let health = flow.until("the pod's status shows it", shown).await;
        assert!(health.to_string().contains("data"), "{health}");

        node.run(&format!("mv {image}.away {image}"));
        let well = async || {
            let pod = flow.get("pods", "user").await;
            let health = pod["status"]["volumeHealth"].as_array().cloned().unwrap_or_default();
            (!Value::from(health).to_string().contains("ImageMissing")).then_some(())
        };
        flow.until("it is well again", well).await;
    });
}

#[test]
fn a_node_tells_of_its_storage() {
    flow("health-storage", async |flow| {
        for node in crate::rig::NODES {
            let path = format!("/apis/storage.k8s.io/v1/csinodes/{}", node.0);
            let told = async || {
                let node = flow.api.get(&path).await.unwrap();
                let drivers = node["spec"]["drivers"].as_array()?;
                drivers.iter().any(|driver| driver["name"] == DRIVER).then_some(node)
            };
            let node = flow.until("the driver is registered", told).await;
            // Nothing is the matter: there is no entry, or one without a word of it.
            let health = node["status"]["storageHealth"].to_string();
            assert!(!health.contains("STORAGE_UNREACHABLE"), "{health}");
        }
    });
}
