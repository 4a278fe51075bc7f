//! The rig: one flow's view of the cluster, and what is done in it.
//!
//! A flow is what one user does in a namespace of their own. When it fails, the namespace stays to be looked at, and
//! its events and logs are printed; when it succeeds, the namespace goes, and nothing of it may be left.

pub(crate) mod chart;
mod claim;
mod class;
mod cluster;
mod copies;
mod left;
mod pod;
mod story;

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use serde_json::{Value, json};

pub(crate) use claim::Claim;
pub(crate) use class::Class;
pub(crate) use cluster::{
    Hanging, NODES, Node, helm, kubeconfig, kubectl, kubectl_fails, kubectl_if_it_can, kubectl_with,
};
pub(crate) use copies::{cut, group};
pub(crate) use left::Left;
pub(crate) use pod::Pod;

use crate::api::{Api, Refused};

/// The driver's name.
pub(crate) const DRIVER: &str = orlop::identity::DRIVER_NAME;

/// The namespace that the chart is installed in.
pub(crate) const INSTALLED: &str = "orlop";

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);

/// A namespace, and who does something in it.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) api: Api,
    pub(crate) namespace: String,
}

/// Runs a flow in a namespace of this name.
pub(crate) fn flow(name: &str, test: impl AsyncFnOnce(&Flow)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let flow = Flow::begin(name).await;
        let outcome = AssertUnwindSafe(async {
            test(&flow).await;
            flow.end().await;
        });
        if let Err(panic) = outcome.catch_unwind().await {
            eprintln!("{}", flow.story());
            resume_unwind(panic);
        }
    });
}

// === impl Flow ===

impl Flow {
    async fn begin(name: &str) -> Self {
        let api = Api::new(&cluster::kubeconfig()).await;
        let flow = Self { api, namespace: name.to_owned() };
        // A run that failed has left it to be looked at.
        let path = format!("/api/v1/namespaces/{name}");
        if flow.api.delete(&path).await.is_ok() {
            flow.gone(&path).await;
        }
        let namespace = json!({ "metadata": { "name": name } });
        flow.api.post("/api/v1/namespaces", &namespace).await.unwrap();
        // A pod cannot be made before.
        let account = flow.path("serviceaccounts", "default");
        flow.until("the default service account", async || flow.api.get(&account).await.ok()).await;
        flow
    }

    /// Deletes the namespace with all that is in it, and returns when nothing of it is left anywhere.
    async fn end(&self) {
        let left = Left::of(self).await;
        let namespace = format!("/api/v1/namespaces/{}", self.namespace);
        self.api.delete(&namespace).await.unwrap();
        self.gone(&namespace).await;
        left.nothing(self).await;
    }

    /// The path of an object of this namespace; `resource` has its group, but for the first one.
    pub(crate) fn path(&self, resource: &str, name: &str) -> String {
        let (api, resource) = match resource.split_once('/') {
            Some((group, resource)) => (format!("/apis/{group}/{}", version(group)), resource),
            None => ("/api/v1".to_owned(), resource),
        };
        format!("{api}/namespaces/{}/{resource}/{name}", self.namespace)
    }

    /// Makes an object in this namespace.
    pub(crate) async fn make(&self, resource: &str, object: &Value) -> Value {
        let path = self.path(resource, "");
        self.api.post(path.trim_end_matches('/'), object).await.unwrap()
    }

    /// Returns an object of this namespace, which must be there.
    pub(crate) async fn get(&self, resource: &str, name: &str) -> Value {
        self.api.get(&self.path(resource, name)).await.unwrap()
    }

    pub(crate) async fn patch(
        &self,
        resource: &str,
        name: &str,
        change: &Value,
    ) -> Result<Value, Refused> {
        self.api.patch(&self.path(resource, name), change).await
    }

    /// Deletes an object of this namespace, and returns when it is gone.
    pub(crate) async fn delete(&self, resource: &str, name: &str) {
        let path = self.path(resource, name);
        self.api.delete(&format!("{path}?gracePeriodSeconds=0")).await.unwrap();
        self.gone(&path).await;
    }

    /// Waits until there is no such object.
    pub(crate) async fn gone(&self, path: &str) {
        let gone = async || (self.api.get(path).await.err()?.code == 404).then_some(());
        self.until(&format!("{path} is gone"), gone).await;
    }

    /// Waits for an event of this reason for the object, and returns what it says.
    pub(crate) async fn event(&self, object: &str, reason: &str) -> String {
        self.event_with(object, reason, "").await
    }

    /// Waits for an event of this reason whose sentence has these words.
    pub(crate) async fn event_with(&self, object: &str, reason: &str, words: &str) -> String {
        let said = async || {
            let events = self.get("events", "").await;
            let mut events = events["items"].as_array().unwrap().iter();
            let event = events.find(|event| {
                event["involvedObject"]["name"] == object
                    && event["reason"] == reason
                    && event["message"].as_str().is_some_and(|said| said.contains(words))
            })?;
            Some(event["message"].as_str().unwrap().to_owned())
        };
        self.until(&format!("an event {reason} of {object} with {words:?}"), said).await
    }

    /// Asks until there is an answer.
    pub(crate) async fn until<T>(&self, what: &str, ask: impl AsyncFnMut() -> Option<T>) -> T {
        self.until_every(Duration::from_millis(100), what, ask).await
    }

    /// Asks more often, where it is measured.
    pub(crate) async fn until_soon<T>(&self, what: &str, ask: impl AsyncFnMut() -> Option<T>) -> T {
        self.until_every(Duration::from_millis(20), what, ask).await
    }

    async fn until_every<T>(
        &self,
        period: Duration,
        what: &str,
        mut ask: impl AsyncFnMut() -> Option<T>,
    ) -> T {
        let began = Instant::now();
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            assert!(began.elapsed() < PATIENCE, "{}: not yet: {what}", self.namespace);
            tokio::time::sleep(period).await;
        }
    }
}

/// The version that is used of each group.
fn version(group: &str) -> &'static str {
    match group {
        "orlop.dev" => "v1alpha1",
        _ => "v1",
    }
}
