//! A node of a test: a real driver with a pool of its own, and what the test asks of the API.

use std::path::{Path, PathBuf};

use orlop::cluster::objects::{Home, Parts, Pool, Snapshot, Volume};
use orlop::csi::v1::node_client::NodeClient;
use orlop::volume::{Asked, Bytes, Content, Name, NewSnapshot, NewVolume, SnapshotId, VolumeId};
use serde::Serialize;
use serde_json::{Value, json};
use tonic::transport::Channel;

use crate::driver::connect;
use crate::rig::{Identity, Mounts, Process, Refused, Relay, Rig, wanted};

/// A node, and the pool `fast` on it.
pub(crate) struct Site {
    pub(crate) rig: Rig,
    pub(crate) node: String,
    identity: Identity,
    kubeconfig: PathBuf,
    pool: Value,
    pub(crate) mounts: Mounts,
}

/// Returns where the object is.
pub(crate) fn path<K: Parts>(name: &str) -> String {
    format!("{}/{name}", K::url_path(&(), None))
}

// === impl Site ===

impl Site {
    /// Returns a node of this name with a pool in memory, and with the rights that a node has.
    pub(crate) async fn simulated(rig: &Rig, node: &str) -> Self {
        let pool = json!({ "name": "fast", "kind": "memory", "size": "10Gi" });
        Self::with(rig, node, pool).await
    }

    /// Returns a node of this name with a pool of images.
    pub(crate) async fn real(rig: &Rig, node: &str) -> Self {
        let file = rig.room(node).join("pool.img");
        let pool = json!({
            "name": "fast", "kind": "image", "file": file, "size": "512Mi", "provisioning": "thin",
        });
        Self::with(rig, node, pool).await
    }

    /// Returns a node of this name with this pool.
    pub(crate) async fn with(rig: &Rig, node: &str, pool: Value) -> Self {
        rig.with_orlop().await;
        rig.node(node).await;
        let identity = rig.orlop_node(node).await;
        let kubeconfig = rig.kubeconfig(&identity);
        let (rig, node, mounts) = (rig.clone(), node.to_owned(), Mounts::new());
        Self { rig, node, identity, kubeconfig, pool, mounts }
    }

    /// Lets the node reach the API server through the relay.
    pub(crate) fn through(self, relay: &Relay) -> Self {
        Self { kubeconfig: self.rig.kubeconfig_through(relay, &self.identity), ..self }
    }

    /// Starts the driver.
    pub(crate) async fn start(&self) -> Process {
        self.start_with(json!({})).await.0
    }

    /// Starts the driver with more settings, and returns where its socket is.
    pub(crate) async fn start_with(&self, settings: Value) -> (Process, PathBuf) {
        let process = self.begin_with(&[], settings);
        self.rig.until_it_listens(&self.socket()).await;
        (process, self.socket())
    }

    /// Begins to start the driver, with these variables.
    pub(crate) fn begin(&self, variables: &[(&str, &str)]) -> Process {
        self.begin_with(variables, json!({}))
    }

    /// Begins to start it with more settings, which may name other pools.
    pub(crate) fn begin_with(&self, variables: &[(&str, &str)], mut settings: Value) -> Process {
        settings["nodeId"] = json!(self.node);
        if settings["pools"].is_null() {
            settings["pools"] = json!([self.pool]);
        }
        settings["cluster"] = json!({ "kubeconfig": self.kubeconfig });
        let mut driver = self.rig.orlop("node", &self.node, settings);
        driver.command.envs(variables.iter().copied());
        self.rig.spawn_on(&self.mounts, &self.node, driver.command)
    }

    /// Returns where the driver answers CSI.
    pub(crate) fn socket(&self) -> PathBuf {
        self.rig.room(&self.node).join("csi.sock")
    }

    /// Returns the Node service, and a directory for what it mounts.
    pub(crate) async fn csi(&self) -> (NodeClient<Channel>, PathBuf) {
        let room = self.rig.room(&self.node).join("mounts");
        std::fs::create_dir_all(&room).unwrap();
        (NodeClient::new(connect(self.socket()).await), room)
    }

    /// Returns where something of the image pool is, on this node.
    pub(crate) fn in_pool(&self, name: &str) -> PathBuf {
        self.rig.room(&self.node).join("state/mounts/fast").join(name)
    }

    /// Returns whether there is such a thing in the image pool.
    pub(crate) fn has_in_pool(&self, name: &str) -> bool {
        self.mounts.run(|| self.in_pool(name).exists())
    }

    /// Moves something of the pool, as an admin of the node may.
    pub(crate) fn move_in_pool(&self, from: &Path, to: &Path) {
        self.mounts.run(|| std::fs::rename(from, to)).unwrap();
    }

    pub(crate) fn home(&self) -> Home {
        Home::new(&*self.node, self.pool["name"].as_str().unwrap())
    }

    /// Returns a wish for a volume of this node, which others do not have.
    pub(crate) fn wanted(&self, name: &str) -> NewVolume {
        wanted(self.name(name))
    }

    /// Returns the wish for a small one.
    pub(crate) fn small(&self, name: &str, content: Content) -> NewVolume {
        let size = Bytes::mib(16);
        let asked = Asked { required: Some(size), limit: None };
        NewVolume { size, asked, content, ..self.wanted(name) }
    }

    pub(crate) fn name(&self, name: &str) -> Name {
        Name::parse(&format!("{name} of {}", self.node)).unwrap()
    }

    pub(crate) async fn post<K: Parts + Serialize>(&self, object: &K) -> Value {
        self.rig.api.post(&K::url_path(&(), None), &json!(object)).await.unwrap()
    }

    /// Wishes for a volume.
    pub(crate) async fn wish(&self, wanted: &NewVolume) {
        self.post(&Volume::wish(wanted, &self.home())).await;
    }

    /// Has the volume made, and a snapshot of it.
    pub(crate) async fn made_and_cut(&self, wanted: &NewVolume) -> NewSnapshot {
        self.wish(wanted).await;
        self.answered::<Volume>(wanted.id.as_str()).await;
        let snapshot = new_snapshot(self.name("s"), &wanted.id);
        self.post(&Snapshot::wish(&snapshot, &self.home())).await;
        self.answered::<Snapshot>(snapshot.id.as_str()).await;
        snapshot
    }

    /// Returns the object, if there is one.
    pub(crate) async fn get<K: Parts>(&self, name: &str) -> Option<Value> {
        match self.rig.api.get(&path::<K>(name)).await {
            Ok(found) => Some(found),
            Err(Refused { code: 404, .. }) => None,
            Err(refused) => panic!("{refused:?}"),
        }
    }

    /// Changes what is wished.
    pub(crate) async fn patch<K: Parts>(&self, name: &str, spec: Value) {
        self.rig.api.patch(&path::<K>(name), &json!({ "spec": spec })).await.unwrap();
    }

    /// Lets objects be removed by hand, which a policy is against: only in a cluster that is the test's own.
    pub(crate) async fn without_the_policy(&self) {
        let group = "/apis/admissionregistration.k8s.io/v1";
        let path = format!("{group}/validatingadmissionpolicybindings/orlop-deletion");
        self.rig.api.delete(&path).await.unwrap();
    }

    /// Removes the object by hand, as soon as nothing is against it.
    pub(crate) async fn remove_by_hand<K: Parts>(&self, name: &str) {
        let removed = async || self.rig.api.delete(&path::<K>(name)).await.ok();
        self.rig.until("nothing is against it", removed).await;
    }

    /// Waits until the Pool object is told, and returns it.
    pub(crate) async fn pool(&self) -> Value {
        self.until_pool("is told", |status| !status["orphanCount"].is_null()).await
    }

    /// Waits until the status of the Pool object is so.
    pub(crate) async fn until_pool(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let name = self.home().object_name();
        self.until::<Pool>(&name, what, |object| is_so(&object["status"])).await
    }

    /// Waits until the object is so.
    pub(crate) async fn until<K: Parts>(
        &self,
        name: &str,
        what: &str,
        is_so: impl Fn(&Value) -> bool,
    ) -> Value {
        let look = async || self.get::<K>(name).await.filter(|object| is_so(object));
        self.rig.until(&format!("{name} {what}"), look).await
    }

    /// Waits until the wish as it is now is answered, and returns the status.
    pub(crate) async fn answered<K: Parts>(&self, name: &str) -> Value {
        let is_answered = |object: &Value| {
            let status = &object["status"];
            status["observedGeneration"] == object["metadata"]["generation"]
                && status["phase"] != "Making"
        };
        self.until::<K>(name, "is answered", is_answered).await["status"].clone()
    }

    pub(crate) async fn until_gone<K: Parts>(&self, name: &str) {
        let is_gone = async || self.get::<K>(name).await.is_none().then_some(());
        self.rig.until(&format!("{name} is gone"), is_gone).await;
    }

    /// Wishes that it be removed.
    pub(crate) async fn delete<K: Parts>(&self, name: &str) {
        self.patch::<K>(name, json!({ "delete": true })).await;
    }
}

pub(crate) fn new_snapshot(name: Name, source: &VolumeId) -> NewSnapshot {
    NewSnapshot { id: SnapshotId::of(&name), name, source: source.clone() }
}
