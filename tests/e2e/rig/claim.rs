//! A PersistentVolumeClaim: what is asked for, and what came of it.

use serde_json::{Value, json};

use super::{Flow, NODES};

const CLAIMS: &str = "persistentvolumeclaims";

/// A claim in the making.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    name: String,
    spec: Value,
}

// === impl Claim ===

impl Claim {
    pub(crate) fn new(name: &str, class: &str, size: &str) -> Self {
        let spec = json!({
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": class,
            "resources": { "requests": { "storage": size } },
        });
        Self { name: name.to_owned(), spec }
    }

    /// With another field of its spec.
    pub(crate) fn with(mut self, field: &str, value: Value) -> Self {
        self.spec[field] = value;
        self
    }

    pub(crate) fn block(self) -> Self {
        self.with("volumeMode", json!("Block"))
    }

    pub(crate) fn mode(self, mode: &str) -> Self {
        self.with("accessModes", json!([mode]))
    }

    /// With the content of another claim.
    pub(crate) fn clone_of(self, claim: &str) -> Self {
        self.with("dataSource", json!({ "kind": "PersistentVolumeClaim", "name": claim }))
    }

    /// With the content of a snapshot.
    pub(crate) fn restored_from(self, snapshot: &str) -> Self {
        let group = "snapshot.storage.k8s.io";
        let source = json!({ "apiGroup": group, "kind": "VolumeSnapshot", "name": snapshot });
        self.with("dataSource", source)
    }

    /// What is asked for, for a template.
    pub(crate) fn spec(&self) -> &Value {
        &self.spec
    }
}

// === impl Flow ===

impl Flow {
    pub(crate) async fn claim(&self, claim: Claim) {
        let Claim { name, spec } = claim;
        self.make(CLAIMS, &json!({ "metadata": { "name": name }, "spec": spec })).await;
    }

    /// Waits until the claim is bound, and returns its PersistentVolume.
    pub(crate) async fn bound(&self, claim: &str) -> Value {
        let bound = async || {
            let claim = self.get(CLAIMS, claim).await;
            let volume = claim["spec"]["volumeName"].as_str()?.to_owned();
            (claim["status"]["phase"] == "Bound").then_some(volume)
        };
        let name = self.until(&format!("{claim} is bound"), bound).await;
        self.api.get(&format!("/api/v1/persistentvolumes/{name}")).await.unwrap()
    }

    /// Returns the id of the claim's volume.
    pub(crate) async fn volume(&self, claim: &str) -> String {
        self.bound(claim).await["spec"]["csi"]["volumeHandle"].as_str().unwrap().to_owned()
    }

    /// Waits until no node has the claim's volume mounted or attached.
    pub(crate) async fn unstaged(&self, claim: &str) {
        let volume = self.volume(claim).await;
        let free = async || {
            let find =
                format!("losetup --list --noheadings --output BACK-FILE | grep {volume}; true");
            NODES.iter().all(|node| node.run(&find).is_empty()).then_some(())
        };
        self.until(&format!("{claim} is not staged"), free).await;
    }

    /// Asks for another size.
    pub(crate) async fn resize(&self, claim: &str, size: &str) {
        let change = json!({ "spec": { "resources": { "requests": { "storage": size } } } });
        self.patch(CLAIMS, claim, &change).await.unwrap();
    }

    /// Waits until the claim says that it has this size.
    pub(crate) async fn sized(&self, claim: &str, size: &str) {
        let sized = async || {
            let claim = self.get(CLAIMS, claim).await;
            (claim["status"]["capacity"]["storage"] == size).then_some(())
        };
        self.until(&format!("{claim} has {size}"), sized).await;
    }

    /// Deletes a claim that no pod uses, and returns when it is gone.
    pub(crate) async fn delete_claim(&self, claim: &str) {
        self.delete(CLAIMS, claim).await;
    }
}
