//! A pod with one container, its volumes, and what is done in it.

use std::process::Command;

use serde_json::{Value, json};

use super::Flow;
use super::cluster::kubectl;
use crate::api::Refused;

const PODS: &str = "pods";

/// A pod in the making. It does nothing until something is run in it.
#[derive(Debug, Clone)]
pub(crate) struct Pod {
    name: String,
    spec: Value,
}

// === impl Pod ===

impl Pod {
    pub(crate) fn new(name: &str) -> Self {
        let container = json!({
            "name": "main",
            "image": "docker.io/library/busybox:1.36",
            "imagePullPolicy": "IfNotPresent",
            // As process 1 it has to be told to end.
            "command": ["sh", "-c", "trap 'exit 0' TERM; sleep 100000 & wait"],
            "volumeMounts": [],
            "volumeDevices": [],
        });
        let spec = json!({
            "containers": [container],
            "volumes": [],
            "terminationGracePeriodSeconds": 1,
            // Nothing here asks the API.
            "automountServiceAccountToken": false,
        });
        Self { name: name.to_owned(), spec }
    }

    /// With a claim, mounted at the path.
    pub(crate) fn claim(self, claim: &str, path: &str) -> Self {
        self.volume(claim, json!({ "persistentVolumeClaim": { "claimName": claim } }), path)
    }

    /// With a claim as a device at the path.
    pub(crate) fn device(mut self, claim: &str, path: &str) -> Self {
        let source = json!({ "name": claim, "persistentVolumeClaim": { "claimName": claim } });
        push(&mut self.spec["volumes"], source);
        let device = json!({ "name": claim, "devicePath": path });
        push(&mut self.spec["containers"][0]["volumeDevices"], device);
        self
    }

    /// With a volume from any source, mounted at the path.
    pub(crate) fn volume(mut self, name: &str, mut source: Value, path: &str) -> Self {
        source["name"] = json!(name);
        push(&mut self.spec["volumes"], source);
        self.mount(json!({ "name": name, "mountPath": path }))
    }

    /// With another mount of a volume that it has.
    pub(crate) fn mount(mut self, mount: Value) -> Self {
        push(&mut self.spec["containers"][0]["volumeMounts"], mount);
        self
    }

    /// With another field of its spec.
    pub(crate) fn with(mut self, field: &str, value: Value) -> Self {
        self.spec[field] = value;
        self
    }

    pub(crate) fn on(self, node: &str) -> Self {
        self.with("nodeSelector", json!({ "kubernetes.io/hostname": node }))
    }

    /// With another image, and what it runs.
    pub(crate) fn runs(mut self, image: &str, command: &[&str]) -> Self {
        self.spec["containers"][0]["image"] = json!(image);
        self.spec["containers"][0]["command"] = json!(command);
        self
    }
}

fn push(list: &mut Value, item: Value) {
    list.as_array_mut().unwrap().push(item);
}

// === impl Flow ===

impl Flow {
    /// Makes a pod.
    pub(crate) async fn pod(&self, pod: Pod) {
        self.try_pod(pod).await.unwrap();
    }

    /// Makes a pod, if that is allowed.
    pub(crate) async fn try_pod(&self, pod: Pod) -> Result<Value, Refused> {
        let Pod { name, spec } = pod;
        let path = self.path(PODS, "");
        let object = json!({ "metadata": { "name": name }, "spec": spec });
        self.api.post(path.trim_end_matches('/'), &object).await
    }

    /// Makes a pod, and returns when it runs.
    pub(crate) async fn run(&self, pod: Pod) {
        let name = pod.name.clone();
        self.pod(pod).await;
        self.running(&name).await;
    }

    /// Waits until the pod is ready.
    pub(crate) async fn running(&self, pod: &str) {
        let ready = async || self.is_ready(pod).await.then_some(());
        self.until(&format!("{pod} runs"), ready).await;
    }

    pub(crate) async fn is_ready(&self, pod: &str) -> bool {
        let pod = self.get(PODS, pod).await;
        let conditions = pod["status"]["conditions"].as_array();
        let mut conditions = conditions.into_iter().flatten();
        conditions.any(|is| is["type"] == "Ready" && is["status"] == "True")
    }

    /// Returns the node that the pod is on.
    pub(crate) async fn node(&self, pod: &str) -> String {
        self.get(PODS, pod).await["spec"]["nodeName"].as_str().unwrap().to_owned()
    }

    /// Runs a shell command in the pod, and returns what it prints, without the last line's end.
    pub(crate) fn exec(&self, pod: &str, command: &str) -> String {
        let args = ["exec", "-n", &self.namespace, pod, "--", "sh", "-c", command];
        kubectl(&args).trim_end_matches('\n').to_owned()
    }

    /// Runs a shell command in the pod, which must fail, and returns what it says.
    pub(crate) fn exec_fails(&self, pod: &str, command: &str) -> String {
        let args = ["exec", "-n", &self.namespace, pod, "--", "sh", "-c", command];
        super::kubectl_fails(&args)
    }

    /// Deletes a pod, and returns when it is gone, with what kubelet had mounted for it.
    pub(crate) async fn delete_pod(&self, pod: &str) {
        self.api.delete(&self.path(PODS, pod)).await.unwrap();
        self.gone(&self.path(PODS, pod)).await;
    }

    /// Starts a shell command in the pod and leaves it running.
    pub(crate) fn exec_beside(&self, pod: &str, command: &str) -> std::process::Child {
        let kube = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/bin/kube");
        let mut exec = Command::new(kube);
        exec.args(["kubectl", "exec", "-n", &self.namespace, pod, "--", "sh", "-c", command]);
        exec.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        exec.spawn().unwrap()
    }
}
