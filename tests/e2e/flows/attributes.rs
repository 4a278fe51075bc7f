//! VolumeAttributesClass: how fast a volume is.

use serde_json::{Value, json};

use crate::rig::{Claim, DRIVER, Flow, Pod, flow};

#[test]
fn a_claim_gets_a_class_and_then_another() {
    flow("attributes", async |flow| {
        let claim = Claim::new("data", "orlop-fast", "320Mi");
        flow.claim(claim.with("volumeAttributesClassName", json!("silver"))).await;
        flow.run(Pod::new("user").claim("data", "/data")).await;
        assert_eq!(limits(flow).await["readIOPS"], 2000);
        change(flow, "gold").await;
        current(flow, "gold").await;
        assert_eq!(limits(flow).await["readIOPS"], 20000);
    });
}

#[test]
fn a_class_with_a_mistake_is_refused_and_taken_back() {
    flow("attributes-wrong", async |flow| {
        let class = json!({
            "metadata": { "name": "attributes-wrong" },
            "driverName": DRIVER,
            "parameters": { "readIOPs": "2k" },
        });
        let classes = "/apis/storage.k8s.io/v1/volumeattributesclasses";
        flow.api.post(classes, &class).await.unwrap();
        let claim = Claim::new("data", "orlop-fast", "320Mi");
        flow.claim(claim.with("volumeAttributesClassName", json!("silver"))).await;
        flow.run(Pod::new("user").claim("data", "/data")).await;

        change(flow, "attributes-wrong").await;
        let said = flow.event("data", "VolumeModifyFailed").await;
        assert!(said.contains("readIOPs") && said.contains("readIOPS"), "{said}");
        change(flow, "silver").await;
        current(flow, "silver").await;
        assert_eq!(limits(flow).await["readIOPS"], 2000);
        flow.delete_pod("user").await;
        flow.delete_claim("data").await;
        flow.api.delete(&format!("{classes}/attributes-wrong")).await.unwrap();
    });
}

async fn change(flow: &Flow, class: &str) {
    let change = json!({ "spec": { "volumeAttributesClassName": class } });
    flow.patch("persistentvolumeclaims", "data", &change).await.unwrap();
}

async fn current(flow: &Flow, class: &str) {
    let current = async || {
        let claim = flow.get("persistentvolumeclaims", "data").await;
        let status = &claim["status"];
        (status["currentVolumeAttributesClassName"] == class
            && status.get("modifyVolumeStatus").is_none())
        .then_some(())
    };
    flow.until(&format!("the class is {class}"), current).await;
}

/// What the volume's object says.
async fn limits(flow: &Flow) -> Value {
    let volume = flow.volume("data").await;
    let path = format!("/apis/orlop.dev/v1alpha1/volumes/{volume}");
    flow.api.get(&path).await.unwrap()["status"]["limits"].take()
}
