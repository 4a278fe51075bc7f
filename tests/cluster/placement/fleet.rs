//! A cluster as an admin has it: nodes with pools, a controller beside its sidecars, and classes.

use std::collections::BTreeMap;

use orlop::identity::DRIVER_NAME;
use orlop::volume::TOPOLOGY_KEY;
use serde_json::{Value, json};

use crate::controller::stage::{GIB, Stage};
use crate::node::site::Site;
use crate::rig::{Process, Rig};

/// What the pools are called on all nodes.
const POOL: &str = "fast";

/// The controller's pod, which owns what csi-provisioner says of the room.
const CONTROLLER: &str = "controller";

/// A controller with its sidecars, and nodes.
pub(super) struct Fleet {
    pub(super) rig: Rig,
    pub(super) stage: Stage,
    nodes: BTreeMap<String, (Site, Process)>,
    sidecars: Vec<Process>,
}

/// A claim that is yet to be made.
pub(super) struct Claim<'a> {
    pub(super) class: &'a str,
    pub(super) gib: u32,
    /// The snapshot that it is restored from.
    pub(super) of: Option<&'a str>,
}

fn claims(name: &str) -> String {
    format!("/api/v1/namespaces/default/persistentvolumeclaims/{name}")
}

fn pods(name: &str) -> String {
    format!("/api/v1/namespaces/default/pods/{name}")
}

// === impl Fleet ===

impl Fleet {
    /// Starts one with a node for each of these names, with so many GiB.
    pub(super) async fn start(rig: &Rig, nodes: &[(&str, u32)]) -> Self {
        rig.cluster.with_scheduler();
        rig.cluster.with_controller_manager();
        rig.with_orlop().await;
        let stage = Stage::another(rig, POOL, CONTROLLER).await;
        let mut fleet =
            Self { rig: rig.clone(), stage, nodes: BTreeMap::new(), sidecars: Vec::new() };
        for (node, gib) in nodes {
            fleet.add(node, *gib).await;
        }
        rig.apply(CLASSES);
        let provisioner = rig.provisioner_of(&fleet.stage.socket, CONTROLLER);
        fleet.sidecars.push(provisioner);
        rig.until_pods_can_be_made().await;
        for (node, gib) in nodes {
            fleet.until_published(node, *gib).await;
        }
        fleet
    }

    /// Starts what snapshots need, too.
    pub(super) fn with_snapshots(&mut self) {
        self.sidecars.push(self.rig.snapshot_controller());
        self.sidecars.push(self.rig.sidecar("csi-snapshotter", &self.stage.socket, &[]));
        self.rig.apply(SNAPSHOT_CLASS);
    }

    /// Makes a node with an empty pool of so many GiB, as one that joins the cluster.
    pub(super) async fn add(&mut self, node: &str, gib: u32) {
        let pool = json!({ "name": POOL, "kind": "memory", "size": format!("{gib}Gi") });
        let site = Site::with(&self.rig, node, pool).await;
        self.rig.csi_node(node, DRIVER_NAME).await;
        let process = site.start().await;
        self.nodes.insert(node.to_owned(), (site, process));
        self.until_room(node, gib).await;
    }

    /// Loses power on the node for good: what is on it is lost.
    pub(super) fn lose(&mut self, node: &str) {
        let (_, process) = self.nodes.remove(node).unwrap();
        process.kill();
    }

    /// Starts the node with an empty pool in the place of its own, as after it was installed anew.
    pub(super) async fn reinstall(&mut self, node: &str) {
        // A pool in memory is another one after each start.
        let (site, process) = self.nodes.remove(node).unwrap();
        process.kill();
        let before = site.pool().await["status"]["uuid"].clone();
        let process = site.start().await;
        site.until_pool("is another one", |status| status["uuid"] != before).await;
        self.nodes.insert(node.to_owned(), (site, process));
    }

    /// Keeps new volumes away from the node's pool, or lets them in again.
    pub(super) async fn cordon(&self, node: &str, cordoned: bool) {
        let path = format!("/apis/orlop.dev/v1alpha1/pools/{}", self.stage.pool_of(node));
        self.rig.api.patch(&path, &json!({ "spec": { "cordoned": cordoned } })).await.unwrap();
    }

    pub(super) async fn until_room(&self, node: &str, gib: u32) {
        self.stage.until_room(node, i64::from(gib) * GIB).await;
    }

    /// Waits until the scheduler can read that volumes of so many GiB can be made on the node, by each class that may be there.
    pub(super) async fn until_published(&self, node: &str, gib: u32) {
        let published = async || {
            let all =
                self.rig.api.get("/apis/storage.k8s.io/v1/csistoragecapacities").await.ok()?;
            let of_node: Vec<_> = all["items"]
                .as_array()?
                .iter()
                .filter(|one| one["nodeTopology"]["matchLabels"][TOPOLOGY_KEY] == node)
                .map(|one| one["maximumVolumeSize"].as_str().unwrap_or_default().to_owned())
                .collect();
            let expected = if gib == 0 { "0".to_owned() } else { format!("{gib}Gi") };
            (!of_node.is_empty() && of_node.iter().all(|one| *one == expected)).then_some(())
        };
        self.rig.until(&format!("{gib} GiB are published for {node}"), published).await;
    }

    /// Makes a claim.
    pub(super) async fn claim(&self, name: &str, claim: Claim<'_>) {
        let Claim { class, gib, of } = claim;
        let source = of.map(|snapshot| {
            json!({ "apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": snapshot })
        });
        let object = json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": name },
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": class,
                "resources": { "requests": { "storage": format!("{gib}Gi") } },
                "dataSource": source,
            },
        });
        self.rig.api.post(&claims(""), &object).await.unwrap();
    }

    /// Makes a pod that uses these claims and would like to be on a node of these, the first most of all.
    pub(super) async fn pod(&self, name: &str, uses: &[&str], prefers: &[&str]) {
        let mount = |claim: &&str| json!({ "name": claim, "mountPath": format!("/{claim}") });
        let volume = |claim: &&str| json!({ "name": claim, "persistentVolumeClaim": { "claimName": claim } });
        let prefer = |(rank, node): (usize, &&str)| {
            let here =
                json!({ "key": "kubernetes.io/hostname", "operator": "In", "values": [node] });
            json!({ "weight": 100 - rank * 50, "preference": { "matchExpressions": [here] } })
        };
        let preferred: Vec<_> = prefers.iter().enumerate().map(prefer).collect();
        let affinity = json!({
            "nodeAffinity": { "preferredDuringSchedulingIgnoredDuringExecution": preferred },
        });
        let container = json!({
            "name": "c", "image": "none", "volumeMounts": uses.iter().map(mount).collect::<Vec<_>>(),
        });
        let object = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name },
            "spec": {
                "affinity": affinity,
                "containers": [container],
                "volumes": uses.iter().map(volume).collect::<Vec<_>>(),
            },
        });
        self.rig.api.post(&pods(""), &object).await.unwrap();
    }

    /// Waits until the pod has a node, and returns it.
    pub(super) async fn node_of(&self, pod: &str) -> String {
        let placed = async || {
            let pod = self.rig.api.get(&pods(pod)).await.unwrap();
            pod["spec"]["nodeName"].as_str().map(str::to_owned)
        };
        self.rig.until(&format!("pod {pod} has a node"), placed).await
    }

    /// Waits until the claim has a volume, and returns where it is and its id.
    pub(super) async fn volume_of(&self, claim: &str) -> (String, String) {
        let bound = async || {
            let mut claim = self.rig.api.get(&claims(claim)).await.unwrap();
            (claim["status"]["phase"] == "Bound").then(|| claim["spec"]["volumeName"].take())
        };
        let name = self.rig.until(&format!("claim {claim} is bound"), bound).await;
        let path = format!("/api/v1/persistentvolumes/{}", name.as_str().unwrap());
        let volume = self.rig.api.get(&path).await.unwrap();
        let terms = &volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"];
        let [term] = &terms.as_array().unwrap()[..] else { panic!("{terms}") };
        let here = &term["matchExpressions"][0];
        assert_eq!(here["key"], TOPOLOGY_KEY);
        let id = volume["spec"]["csi"]["volumeHandle"].as_str().unwrap();
        (here["values"][0].as_str().unwrap().to_owned(), id.to_owned())
    }

    /// Waits until the claim has a volume, and returns on which node that is.
    pub(super) async fn home_of(&self, claim: &str) -> String {
        self.volume_of(claim).await.0
    }

    /// Waits until an event of the claim has these words.
    pub(super) async fn claim_is_told(&self, claim: &str, words: &str) {
        let path =
            format!("/api/v1/namespaces/default/events?fieldSelector=involvedObject.name={claim}");
        let told = async || {
            let events = self.rig.api.get(&path).await.unwrap()["items"].take();
            let is_it = |one: &Value| one["message"].as_str().is_some_and(|it| it.contains(words));
            events.as_array().unwrap().iter().any(is_it).then_some(())
        };
        self.rig.until(&format!("{words:?} is told of claim {claim}"), told).await;
    }

    /// Waits until the scheduler says with these words why the pod has no node.
    pub(super) async fn pod_is_told(&self, pod: &str, words: &str) {
        let told = async || {
            let conditions =
                self.rig.api.get(&pods(pod)).await.unwrap()["status"]["conditions"].take();
            let why =
                conditions.as_array()?.iter().find(|one| one["type"] == "PodScheduled")?["message"]
                    .clone();
            why.as_str()?.contains(words).then_some(())
        };
        self.rig.until(&format!("{words:?} is told of pod {pod}"), told).await;
    }

    /// Deletes the pod, as one that never ran.
    pub(super) async fn delete_pod(&self, name: &str) {
        self.rig.api.delete(&format!("{}?gracePeriodSeconds=0", pods(name))).await.unwrap();
    }

    /// Deletes a claim that nobody uses, and waits until its volume is gone, with the object of this id.
    pub(super) async fn delete_claim(&self, name: &str) {
        let (_, id) = self.volume_of(name).await;
        let path = claims(name);
        let volume = self.rig.api.get(&path).await.unwrap()["spec"]["volumeName"].clone();
        self.rig.api.delete(&path).await.unwrap();
        let volume = format!("/api/v1/persistentvolumes/{}", volume.as_str().unwrap());
        let gone = async || (self.rig.api.get(&volume).await.err()?.code == 404).then_some(());
        self.rig.until(&format!("the volume of claim {name} is gone"), gone).await;
        assert_eq!(self.stage.get("volumes", &id).await, None);
    }

    /// Cuts a snapshot of the claim's volume, and waits until it can be restored.
    pub(super) async fn snapshot(&self, name: &str, of: &str) {
        let object = json!({
            "apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot",
            "metadata": { "name": name },
            "spec": {
                "volumeSnapshotClassName": "orlop",
                "source": { "persistentVolumeClaimName": of },
            },
        });
        let all = "/apis/snapshot.storage.k8s.io/v1/namespaces/default/volumesnapshots";
        self.rig.api.post(all, &object).await.unwrap();
        let path = format!("{all}/{name}");
        let ready = async || {
            (self.rig.api.get(&path).await.unwrap()["status"]["readyToUse"] == true).then_some(())
        };
        self.rig.until(&format!("snapshot {name} can be restored"), ready).await;
    }
}

// === impl Claim ===

impl<'a> Claim<'a> {
    /// A new volume of the class.
    pub(super) fn new(class: &'a str, gib: u32) -> Self {
        Self { class, gib, of: None }
    }

    /// A volume of the class from a snapshot.
    pub(super) fn of(class: &'a str, gib: u32, snapshot: &'a str) -> Self {
        Self { of: Some(snapshot), ..Self::new(class, gib) }
    }
}

const CLASSES: &str = "
apiVersion: storage.k8s.io/v1
kind: CSIDriver
metadata: {name: csi.orlop.dev}
spec: {attachRequired: false, podInfoOnMount: true, storageCapacity: true}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: orlop}
provisioner: csi.orlop.dev
parameters: {pool: fast}
volumeBindingMode: WaitForFirstConsumer
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: orlop-immediate}
provisioner: csi.orlop.dev
parameters: {pool: fast}
volumeBindingMode: Immediate
";

const SNAPSHOT_CLASS: &str = "
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshotClass
metadata: {name: orlop}
driver: csi.orlop.dev
deletionPolicy: Delete
";
