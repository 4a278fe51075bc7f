//! What a flow made outside of its namespace, which has to be gone when the namespace is.

use serde_json::Value;

use super::{Flow, NODES};

/// Where objects are that stand for what a driver has, what names the namespace in them, and where their id is.
const OBJECTS: [(&str, &str, &str); 3] = [
    ("/api/v1/persistentvolumes", "/spec/claimRef/namespace", "/spec/csi/volumeHandle"),
    (
        "/apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents",
        "/spec/volumeSnapshotRef/namespace",
        "/status/snapshotHandle",
    ),
    (
        "/apis/groupsnapshot.storage.k8s.io/v1/volumegroupsnapshotcontents",
        "/spec/volumeGroupSnapshotRef/namespace",
        "/status/volumeGroupSnapshotHandle",
    ),
];

const KINDS: [&str; 3] = ["volumes", "snapshots", "groupsnapshots"];

/// Objects, and the ids of what the driver made for them.
#[derive(Debug, Default)]
pub(crate) struct Left {
    objects: Vec<String>,
    ids: Vec<String>,
}

// === impl Left ===

impl Left {
    /// Finds what there is now.
    pub(crate) async fn of(flow: &Flow) -> Self {
        let mut left = Self::default();
        for (path, namespace, id) in OBJECTS {
            let all = flow.api.get(path).await.unwrap();
            for object in all["items"].as_array().unwrap() {
                if object.pointer(namespace).and_then(Value::as_str) == Some(&flow.namespace) {
                    let name = object["metadata"]["name"].as_str().unwrap();
                    left.objects.push(format!("{path}/{name}"));
                    left.ids.extend(object.pointer(id).and_then(Value::as_str).map(str::to_owned));
                }
            }
        }
        left
    }

    /// Returns when nothing of it is there: no object, no wish, no file, no mount, no loop device.
    pub(crate) async fn nothing(&self, flow: &Flow) {
        for object in &self.objects {
            flow.gone(object).await;
        }
        for id in &self.ids {
            for kind in KINDS {
                flow.gone(&format!("/apis/orlop.dev/v1alpha1/{kind}/{id}")).await;
            }
        }
        if self.ids.is_empty() {
            return;
        }
        // The object goes after the data; a mount that kubelet left would still be there.
        let names = self.ids.join("\\|");
        for node in NODES {
            let found = node.run(&format!(
                "find /var/lib/orlop | grep '{names}'; grep '{names}' /proc/self/mountinfo; \
                 losetup --list --noheadings --output NAME,BACK-FILE | grep '{names}'; true"
            ));
            assert_eq!(found, "", "left on {}", node.0);
        }
    }
}
