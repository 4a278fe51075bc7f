//! A StorageClass of a flow's own, for what the chart has no class for.

use serde_json::{Value, json};

use super::{DRIVER, Flow};

/// A class in the making, named like the flow.
#[derive(Debug)]
pub(crate) struct Class(Value);

// === impl Class ===

impl Class {
    /// One for a pool, as the chart makes them.
    pub(crate) fn new(pool: &str) -> Self {
        Self(json!({
            "provisioner": DRIVER,
            "parameters": { "pool": pool },
            "volumeBindingMode": "WaitForFirstConsumer",
            "reclaimPolicy": "Delete",
            "allowVolumeExpansion": true,
        }))
    }

    pub(crate) fn parameter(mut self, key: &str, value: &str) -> Self {
        self.0["parameters"][key] = json!(value);
        self
    }

    pub(crate) fn fs(self, fs: &str) -> Self {
        self.parameter("csi.storage.k8s.io/fstype", fs)
    }

    /// With another field.
    pub(crate) fn with(mut self, field: &str, value: Value) -> Self {
        self.0[field] = value;
        self
    }
}

// === impl Flow ===

impl Flow {
    /// Makes the class, and returns its name. Classes belong to no namespace; this one goes with the flow.
    pub(crate) async fn class(&self, name: &str, class: Class) -> String {
        let name = format!("{}-{name}", self.namespace);
        let Class(mut object) = class;
        let owner = self.api.get(&format!("/api/v1/namespaces/{}", self.namespace)).await.unwrap();
        object["metadata"] = json!({
            "name": name,
            "ownerReferences": [{
                "apiVersion": "v1",
                "kind": "Namespace",
                "name": self.namespace,
                "uid": owner["metadata"]["uid"],
            }],
        });
        self.api.post("/apis/storage.k8s.io/v1/storageclasses", &object).await.unwrap();
        name
    }
}
