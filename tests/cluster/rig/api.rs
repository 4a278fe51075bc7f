//! The API as it is: paths and JSON, over the client that the driver uses, too.

use std::path::Path;

use futures_util::{Stream, StreamExt};
use http::{Method, Request};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{DynamicObject, WatchEvent};
use kube::{Client, Config};
use serde_json::Value;

/// What the API server says of a request that it does not fulfil.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// 0 where there was no answer.
    pub(crate) code: u16,
    pub(crate) message: String,
}

/// The API, as somebody.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) client: Client,
}

// === impl Api ===

impl Api {
    /// Reads the file that tells where the API is and who asks.
    pub(crate) async fn new(kubeconfig: &Path) -> Self {
        let file = Kubeconfig::read_from(kubeconfig).unwrap();
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(file, &options).await.unwrap();
        Self { client: Client::try_from(config).unwrap() }
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value, Refused> {
        self.ask(Method::GET, path, "", Vec::new()).await
    }

    pub(crate) async fn post(&self, path: &str, object: &Value) -> Result<Value, Refused> {
        self.ask(Method::POST, path, "application/json", object.to_string().into()).await
    }

    /// Changes what is named: a JSON merge patch.
    pub(crate) async fn patch(&self, path: &str, change: &Value) -> Result<Value, Refused> {
        let merge = "application/merge-patch+json";
        self.ask(Method::PATCH, path, merge, change.to_string().into()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<Value, Refused> {
        self.ask(Method::DELETE, path, "", Vec::new()).await
    }

    /// Returns whether the API server answers, and has all it needs.
    pub(crate) async fn is_ready(&self) -> bool {
        let request = Request::get("/readyz").body(Vec::new()).unwrap();
        self.client.request_text(request).await.is_ok()
    }

    /// Watches a path; the stream ends with the connection.
    pub(crate) async fn watch(
        &self,
        path: &str,
    ) -> Result<impl Stream<Item = Result<WatchEvent<DynamicObject>, Refused>> + use<>, Refused>
    {
        let request = Request::get(format!("{path}?watch=true")).body(Vec::new()).unwrap();
        let events = self.client.request_events::<DynamicObject>(request).await;
        Ok(events?.map(|event| Ok(event?)))
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        content: &str,
        body: Vec<u8>,
    ) -> Result<Value, Refused> {
        let mut request = Request::builder().method(method).uri(path);
        if !content.is_empty() {
            request = request.header("content-type", content);
        }
        Ok(self.client.request(request.body(body).unwrap()).await?)
    }
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Api")
    }
}

// === impl Refused ===

impl From<kube::Error> for Refused {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self { code: status.code, message: status.message },
            other => Self { code: 0, message: format!("{other:?}") },
        }
    }
}
