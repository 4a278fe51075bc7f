//! Volumes that outlive their claim, and volumes that an admin writes down.

use serde_json::{Value, json};

use crate::rig::{Claim, Class, DRIVER, Pod, flow};

#[test]
fn a_retained_volume_is_used_again_by_an_admins_own_object() {
    flow("kept", async |flow| {
        let retain = Class::new("thin").with("reclaimPolicy", json!("Retain"));
        let class = flow.class("retain", retain).await;
        flow.claim(Claim::new("data", &class, "320Mi")).await;
        flow.run(Pod::new("user").claim("data", "/data")).await;
        flow.exec("user", "echo kept > /data/file && sync");
        let volume = flow.bound("data").await;
        let name = volume["metadata"]["name"].as_str().unwrap();
        flow.delete_pod("user").await;
        flow.delete_claim("data").await;
        let path = format!("/api/v1/persistentvolumes/{name}");
        let released = async || {
            let volume = flow.api.get(&path).await.unwrap();
            (volume["status"]["phase"] == "Released").then_some(())
        };
        flow.until("the volume is released", released).await;
        flow.api.delete(&path).await.unwrap();
        flow.gone(&path).await;

        // The same volume, as an object that an admin writes: with its handle, and nothing of the class.
        let csi = &volume["spec"]["csi"];
        let object = json!({
            "metadata": { "name": "kept-static" },
            "spec": {
                "capacity": { "storage": "320Mi" },
                "accessModes": ["ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Delete",
                "storageClassName": "",
                "csi": { "driver": DRIVER, "volumeHandle": csi["volumeHandle"] },
                "nodeAffinity": volume["spec"]["nodeAffinity"],
                "claimRef": { "namespace": flow.namespace, "name": "again" },
            },
        });
        flow.api.post("/api/v1/persistentvolumes", &object).await.unwrap();
        let claim = Claim::new("again", "", "320Mi").with("volumeName", json!("kept-static"));
        flow.claim(claim).await;
        flow.run(Pod::new("reader").claim("again", "/data")).await;
        assert_eq!(flow.exec("reader", "cat /data/file"), "kept");
        assert_ne!(csi["volumeHandle"], Value::Null);
    });
}
