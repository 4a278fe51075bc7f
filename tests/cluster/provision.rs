//! The sidecars, the scheduler and the driver: from a claim to a volume, and what is done with it.

use std::path::PathBuf;

use orlop::identity::DRIVER_NAME;
use orlop::volume::TOPOLOGY_KEY;
use serde_json::json;

use crate::rig::{self, Process, Rig};

const NODE: &str = "provisioned";
const CLAIM: &str = "/api/v1/namespaces/default/persistentvolumeclaims/claim";
const POD: &str = "/api/v1/namespaces/default/pods/user";
const SNAPSHOT: &str = "/apis/snapshot.storage.k8s.io/v1/namespaces/default/volumesnapshots/cut";

#[test]
fn a_claim_gets_a_volume_where_its_pod_is_and_loses_it_again() {
    rig::alone(async |rig| {
        let (_driver, socket) = driver(&rig).await;
        let _provisioner = rig.provisioner(&socket);
        let path = volume(&rig).await;
        let volume = rig.api.get(&path).await.unwrap();
        assert_eq!(volume["spec"]["csi"]["driver"], DRIVER_NAME);
        assert_eq!(volume["spec"]["capacity"]["storage"], "1Gi");
        let terms = &volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"];
        let here = json!({ "key": TOPOLOGY_KEY, "operator": "In", "values": [NODE] });
        assert_eq!(terms, &json!([{ "matchExpressions": [here] }]));
        let placed = async || {
            let pod = rig.api.get(POD).await.unwrap();
            pod["spec"]["nodeName"].as_str().map(str::to_owned)
        };
        assert_eq!(rig.until("the pod has a node", placed).await, NODE);

        rig.api.delete(&format!("{POD}?gracePeriodSeconds=0")).await.unwrap();
        rig.api.delete(CLAIM).await.unwrap();
        let gone = async || (rig.api.get(&path).await.err()?.code == 404).then_some(());
        rig.until("the volume is gone", gone).await;
    });
}

#[test]
fn a_volume_is_snapshotted_and_grows() {
    rig::alone(async |rig| {
        let (_driver, socket) = driver(&rig).await;
        let _provisioner = rig.provisioner(&socket);
        let _controller = rig.snapshot_controller();
        let _snapshotter = rig.sidecar("csi-snapshotter", &socket, &[]);
        let _resizer = rig.sidecar("csi-resizer", &socket, &[]);
        let path = volume(&rig).await;

        rig.apply(CUT);
        let cut = async || {
            let mut status = rig.api.get(SNAPSHOT).await.unwrap()["status"].take();
            (status["readyToUse"] == true).then(|| status["restoreSize"].take())
        };
        assert_eq!(rig.until("the snapshot is ready", cut).await, "1Gi");

        let larger = json!({ "spec": { "resources": { "requests": { "storage": "2Gi" } } } });
        rig.api.patch(CLAIM, &larger).await.unwrap();
        let grown = async || {
            let volume = rig.api.get(&path).await.unwrap();
            (volume["spec"]["capacity"]["storage"] == "2Gi").then_some(())
        };
        rig.until("the volume has grown", grown).await;
    });
}

/// Starts `orlop all` on a memory pool, on a node that the scheduler can take, and returns where its socket is.
async fn driver(rig: &Rig) -> (Process, PathBuf) {
    rig.cluster.with_scheduler();
    rig.cluster.with_controller_manager();
    rig.node(NODE).await;
    rig.csi_node(NODE, DRIVER_NAME).await;
    let pool = json!({ "name": "default", "kind": "memory", "size": "10Gi" });
    let settings = json!({ "nodeId": NODE, "attach": "off", "pools": [pool] });
    let driver = rig.orlop("all", NODE, settings);
    let process = rig.spawn("orlop", driver.command);
    rig.until_it_listens(&driver.socket).await;
    (process, driver.socket)
}

/// Makes a claim and a pod that uses it, and returns the path of the volume that it gets.
async fn volume(rig: &Rig) -> String {
    rig.until_pods_can_be_made().await;
    rig.apply(USED_CLAIM);
    let bound = async || {
        let mut claim = rig.api.get(CLAIM).await.unwrap();
        (claim["status"]["phase"] == "Bound").then(|| claim["spec"]["volumeName"].take())
    };
    let name = rig.until("the claim is bound", bound).await;
    format!("/api/v1/persistentvolumes/{}", name.as_str().unwrap())
}

const USED_CLAIM: &str = "
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: orlop}
provisioner: csi.orlop.dev
volumeBindingMode: WaitForFirstConsumer
allowVolumeExpansion: true
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: claim}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: orlop
  resources: {requests: {storage: 1Gi}}
---
apiVersion: v1
kind: Pod
metadata: {name: user}
spec:
  containers:
    - {name: c, image: none, volumeMounts: [{name: v, mountPath: /v}]}
  volumes:
    - {name: v, persistentVolumeClaim: {claimName: claim}}
";

const CUT: &str = "
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshotClass
metadata: {name: orlop}
driver: csi.orlop.dev
deletionPolicy: Delete
---
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshot
metadata: {name: cut}
spec:
  volumeSnapshotClassName: orlop
  source: {persistentVolumeClaimName: claim}
";
