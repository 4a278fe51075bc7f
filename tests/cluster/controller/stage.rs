//! A real `orlop controller`, and nodes that the test plays itself: each status is written when the test says so.

use std::path::PathBuf;
use std::time::Duration;

use orlop::csi::v1;
use orlop::csi::v1::controller_client::ControllerClient;
use orlop::csi::v1::group_controller_client::GroupControllerClient;
use orlop::volume::TOPOLOGY_KEY;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};

use crate::driver::connect;
use crate::requests;
use crate::rig::{Api, Mark, Process, Refused, Rig};

pub(crate) const GIB: i64 = 1 << 30;
pub(crate) const UUID: &str = "f2868e1a-a7ca-4669-917c-d9f5ab1b7957";
pub(crate) const OTHER_UUID: &str = "0c1c8e1a-a7ca-4669-917c-d9f5ab1b7957";

/// A controller, and the pools of one name on nodes that the test plays.
pub(crate) struct Stage {
    pub(crate) rig: Rig,
    /// What the pools are called, and the nodes' names begin with: several tests share a cluster.
    pub(crate) name: String,
    pub(crate) controller: ControllerClient<Channel>,
    pub(crate) groups: GroupControllerClient<Channel>,
    pub(crate) process: Process,
    pub(crate) socket: PathBuf,
    room: String,
    settings: Value,
}

/// Starts a controller, and returns where its socket is.
async fn start(rig: &Rig, room: &str, settings: &Value) -> (Process, PathBuf) {
    let driver = rig.orlop("controller", room, settings.clone());
    let process = rig.spawn(room, driver.command);
    rig.until_it_listens(&driver.socket).await;
    (process, driver.socket)
}

/// Somebody who fulfils what is wished of a node, until it is dropped.
pub(crate) struct Player(JoinHandle<()>);

impl Drop for Player {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Returns the path of the objects of a kind, or of one of them.
pub(crate) fn path(of: &str) -> String {
    format!("/apis/orlop.dev/v1alpha1/{of}")
}

// === impl Stage ===

impl Stage {
    /// Starts a controller in a cluster that has these kinds of objects.
    pub(crate) async fn new(rig: &Rig, name: &str) -> Self {
        rig.with_orlop().await;
        Self::another(rig, name, name).await
    }

    /// Starts another controller, in a room of this name.
    pub(crate) async fn another(rig: &Rig, name: &str, room: &str) -> Self {
        Self::with(rig, name, room, json!({})).await
    }

    /// Starts another one, with more settings.
    pub(crate) async fn with(rig: &Rig, name: &str, room: &str, mut settings: Value) -> Self {
        let kubeconfig = rig.kubeconfig(&rig.orlop_controller(room).await);
        settings["cluster"] = json!({ "kubeconfig": kubeconfig });
        let (process, socket) = start(rig, room, &settings).await;
        let channel = connect(socket.clone()).await;
        Self {
            rig: rig.clone(),
            name: name.to_owned(),
            room: room.to_owned(),
            settings,
            socket,
            controller: ControllerClient::new(channel.clone()),
            groups: GroupControllerClient::new(channel),
            process,
        }
    }

    /// Kills the controller and starts the next one.
    pub(crate) async fn kill(&mut self) {
        self.process.kill();
        self.start_again().await;
    }

    /// Starts the next controller, where the one before has ended.
    pub(crate) async fn start_again(&mut self) {
        self.process = start(&self.rig, &self.room, &self.settings).await.0;
    }

    /// Makes a node with a pool of so many GiB, and waits until the controller knows both. Nobody plays it yet.
    pub(crate) async fn node(&self, number: usize, gib: i64) -> String {
        let node = format!("{}-{number}", self.name);
        self.rig.node(&node).await;
        let spec = json!({ "node": node, "pool": self.name });
        let object = json!({
            "apiVersion": "orlop.dev/v1alpha1", "kind": "Pool",
            "metadata": { "name": self.pool_of(&node) }, "spec": spec,
        });
        self.rig.api.post(&path("pools"), &object).await.unwrap();
        let least = json!({ "xfs": 300 << 20, "ext4": 1 << 20, "btrfs": 128 << 20, "block": 4096 });
        let features = ["Snapshots", "GroupSnapshots"];
        let status = json!({
            "uuid": UUID, "capacity": gib * GIB, "promisable": gib * GIB, "free": gib * GIB,
            "leastBytes": least, "features": features, "kind": "memory", "provisioning": "thick",
        });
        self.tell("pools", &self.pool_of(&node), status).await;
        self.until_room(&node, gib * GIB).await;
        node
    }

    /// Waits until the controller says that the node's pool can give so much.
    pub(crate) async fn until_room(&self, node: &str, bytes: i64) {
        let has = async || {
            let answer = self.controller.clone().get_capacity(self.segment(node)).await.ok()?;
            (answer.into_inner().available_capacity == bytes).then_some(())
        };
        self.rig.until("the controller knows the pool", has).await;
    }

    pub(crate) fn segment(&self, node: &str) -> v1::GetCapacityRequest {
        v1::GetCapacityRequest {
            parameters: requests::pairs(&[("pool", &self.name)]),
            accessible_topology: Some(on(node)),
            ..v1::GetCapacityRequest::default()
        }
    }

    pub(crate) fn pool_of(&self, node: &str) -> String {
        format!("{node}.{}", self.name)
    }

    /// Returns the request for a volume of 1 GiB with a name that no other test has.
    pub(crate) fn create(&self, name: &str) -> v1::CreateVolumeRequest {
        v1::CreateVolumeRequest {
            capacity_range: requests::at_least(GIB),
            parameters: requests::pairs(&[("pool", &self.name)]),
            ..requests::create(&format!("{name} of {}", self.name))
        }
    }

    /// Makes a volume, and returns its id.
    pub(crate) async fn volume(&self, name: &str) -> String {
        let made = self.controller.clone().create_volume(self.create(name)).await;
        made.unwrap().into_inner().volume.unwrap().volume_id
    }

    pub(crate) async fn get(&self, kind: &str, id: &str) -> Option<Value> {
        match self.rig.api.get(&path(&format!("{kind}/{id}"))).await {
            Ok(found) => Some(found),
            Err(refused) => {
                assert_eq!(refused.code, 404, "{refused:?}");
                None
            }
        }
    }

    /// Waits until there is one wish for this node, and returns its id.
    pub(crate) async fn wished(&self, kind: &str, node: &str) -> String {
        let path = path(&format!("{kind}?fieldSelector=spec.node={node}"));
        let one = async || {
            let found = self.rig.api.get(&path).await.unwrap();
            found["items"][0]["metadata"]["name"].as_str().map(str::to_owned)
        };
        self.rig.until("something is wished", one).await
    }

    /// Writes a status, as a node does.
    pub(crate) async fn tell(&self, kind: &str, id: &str, status: Value) {
        let path = path(&format!("{kind}/{id}/status"));
        self.rig.api.patch(&path, &json!({ "status": status })).await.unwrap();
    }

    /// Says that a node has begun.
    pub(crate) async fn claim(&self, kind: &str, id: &str) {
        self.tell(kind, id, json!({ "phase": "Making", "observedGeneration": 1 })).await;
    }

    /// Answers the wish as it is now with an error.
    pub(crate) async fn refuse(&self, kind: &str, id: &str, phase: &str, code: &str, why: &str) {
        let object = self.get(kind, id).await.unwrap();
        let generation = &object["metadata"]["generation"];
        let error = json!({ "code": code, "message": why });
        let status = json!({ "phase": phase, "observedGeneration": generation, "error": error });
        self.tell(kind, id, status).await;
    }

    /// Says that the volume is there as it is wished now.
    pub(crate) async fn make(&self, id: &str) {
        let object = self.get("volumes", id).await.unwrap();
        self.tell("volumes", id, made(&object)).await;
    }

    /// Returns how the object was written since, in the order of time.
    pub(crate) fn writes_since(&self, mark: Mark, id: &str) -> Vec<String> {
        self.rig.audit().writes(mark, id)
    }

    /// Lets what is wished of the node be so, from now on.
    pub(crate) fn play(&self, node: &str) -> Player {
        let (api, selector) = (self.rig.api.clone(), format!("fieldSelector=spec.node={node}"));
        Player(tokio::spawn(async move {
            loop {
                for kind in ["volumes", "snapshots", "groupsnapshots"] {
                    let found = api.get(&path(&format!("{kind}?{selector}"))).await;
                    let items = found.map(|mut found| found["items"].take()).unwrap_or_default();
                    for object in items.as_array().into_iter().flatten() {
                        // Somebody may be faster in taking it away.
                        drop(play_one(&api, kind, object).await);
                    }
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }))
    }
}

async fn play_one(api: &Api, kind: &str, object: &Value) -> Result<Value, Refused> {
    let one = path(&format!("{kind}/{}", object["metadata"]["name"].as_str().unwrap()));
    let status = format!("{one}/status");
    if object["spec"]["delete"] == true {
        return api.delete(&one).await;
    }
    if object["status"]["observedGeneration"] == object["metadata"]["generation"] {
        return Ok(Value::Null);
    }
    if object["status"]["phase"].is_null() {
        api.patch(&status, &json!({ "status": { "phase": "Making" } })).await?;
    }
    let told = match kind {
        "volumes" => made(object),
        "snapshots" => cut(api, object).await?,
        _ => cut_together(api, object).await?,
    };
    api.patch(&status, &json!({ "status": told })).await
}

/// Returns the status of a snapshot that is cut.
async fn cut(api: &Api, object: &Value) -> Result<Value, Refused> {
    let source = object["spec"]["source"].as_str().unwrap();
    let source = api.get(&path(&format!("volumes/{source}"))).await?;
    Ok(json!({
        "phase": "Ready",
        "observedGeneration": object["metadata"]["generation"],
        "bytes": source["status"]["bytes"],
        "content": source["spec"]["content"],
        "blockSize": source["spec"]["blockSize"],
        "created": "2026-11-26T07:27:04.5Z",
        "poolUuid": UUID,
    }))
}

/// Returns the status of a group that is cut.
async fn cut_together(api: &Api, object: &Value) -> Result<Value, Refused> {
    let group = object["metadata"]["name"].as_str().unwrap();
    let mut members = Vec::new();
    for (number, source) in object["spec"]["sources"].as_array().unwrap().iter().enumerate() {
        let of = api.get(&path(&format!("volumes/{}", source.as_str().unwrap()))).await?;
        members.push(json!({
            "id": format!("{group}-{number}"),
            "source": source,
            "bytes": of["status"]["bytes"],
            "content": of["spec"]["content"],
            "blockSize": of["spec"]["blockSize"],
        }));
    }
    Ok(json!({
        "phase": "Ready",
        "observedGeneration": object["metadata"]["generation"],
        "created": "2026-11-26T07:27:04.5Z",
        "poolUuid": UUID,
        "members": members,
    }))
}

/// Returns the status of a volume that is as it is wished.
fn made(object: &Value) -> Value {
    // A merge leaves what is not named.
    let mut limits = json!({
        "readIOPS": null, "writeIOPS": null, "readBytesPerSecond": null, "writeBytesPerSecond": null,
    });
    for (key, limit) in object["spec"]["limits"].as_object().into_iter().flatten() {
        limits[key] = limit.clone();
    }
    json!({
        "phase": "Ready",
        "observedGeneration": object["metadata"]["generation"],
        "bytes": object["spec"]["bytes"],
        "poolUuid": UUID,
        "created": "2026-11-26T07:27:04.5Z",
        "limits": limits,
        "error": null,
    })
}

pub(crate) fn on(node: &str) -> v1::Topology {
    v1::Topology { segments: requests::pairs(&[(TOPOLOGY_KEY, node)]) }
}

/// Returns a request whose caller waits so long.
pub(crate) fn within<T>(seconds: u64, request: T) -> Request<T> {
    let mut request = Request::new(request);
    request.set_timeout(Duration::from_secs(seconds));
    request
}

/// Returns the code and the message of a call that failed.
pub(crate) fn refused<T: std::fmt::Debug>(answer: Result<Response<T>, Status>) -> (Code, String) {
    let status = answer.unwrap_err();
    (status.code(), status.message().to_owned())
}
