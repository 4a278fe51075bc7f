//! Reads objects of the API with the token of the pod that wants to see them.
//!
//! The driver has no right of its own to any of them. The token is a header of each request, and of nothing else: the
//! client that all requests share knows none.

use std::fmt;
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::unfold;
use http::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use kube::client::Body;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::attributes::{ObjectName, Resource};
use super::object::{Object, Version};
use super::token::Token;
use crate::error::Cause;

/// How long a read may take, from the connection to the last byte.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most that is read of one answer: 1 MiB in base64, and what the API writes around it.
const MOST: usize = 4 << 20;

/// The longest line of a watch: the metadata of one object.
const MOST_OF_EVENT: usize = 1 << 20;

const WHOLE: HeaderValue = HeaderValue::from_static("application/json");
const METADATA: HeaderValue = HeaderValue::from_static(
    "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json",
);

/// The way to the API server.
#[derive(Clone)]
pub struct Api {
    client: kube::Client,
}

/// Which object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) resource: Resource,
    pub(super) namespace: ObjectName,
    pub(super) name: ObjectName,
}

/// Why an object was not read.
#[derive(Debug)]
pub(super) enum Trouble {
    /// There is none of that name.
    NotFound,
    /// The pod's service account may not.
    Forbidden,
    /// The token is not taken any more.
    Unauthenticated,
    /// Later it may be; where the server says so, not before that time.
    Later { cause: Cause, after: Option<Duration> },
}

/// What a watch tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// The object is in this state.
    Is(Version),
    /// The object is gone.
    Gone,
    /// The watch must begin anew, from the present.
    Expired,
}

/// The server said what nobody expects of it.
#[derive(Debug, thiserror::Error)]
enum Strange {
    #[error("the API server answers {0}")]
    Status(StatusCode),
    #[error("the API server did not answer within {} s", PATIENCE.as_secs())]
    Slow,
    #[error("the answer is longer than {MOST} bytes")]
    Long,
    #[error("the answer is no object")]
    Unreadable,
}

// === impl Api ===

impl Api {
    /// Reads through this client, which must have no identity of its own.
    pub fn new(client: kube::Client) -> Self {
        Self { client }
    }

    /// Reads the object.
    pub(super) async fn object(&self, wanted: &Wanted, token: &Token) -> Result<Object, Trouble> {
        let body = self.read(&wanted.path(), token, WHOLE).await?;
        let object = match wanted.resource {
            Resource::ConfigMap => Object::of_config_map(&body),
            Resource::Secret => Object::of_secret(&body),
            Resource::Pod => Object::of_pod(&body),
        };
        // What serde says of a mistake may have a piece of the content.
        object.map_err(|_secret| Trouble::later(Strange::Unreadable))
    }

    /// Reads which state the object is in, and nothing of its content.
    pub(super) async fn version(&self, wanted: &Wanted, token: &Token) -> Result<Version, Trouble> {
        let body = self.read(&wanted.path(), token, METADATA).await?;
        Version::parse(&body).map_err(|_secret| Trouble::later(Strange::Unreadable))
    }

    /// Hears of the object's present state, if there is one, and then of its changes, at most for so long.
    pub(super) async fn watch(
        &self,
        wanted: &Wanted,
        token: &Token,
        length: Duration,
    ) -> Result<impl Stream<Item = Event> + Send + use<>, Trouble> {
        let path = wanted.path_of_watch(length);
        let answer = within(self.ask(&path, token, METADATA)).await?;
        let lines = (answer.into_body(), Zeroizing::new(Vec::new()));
        Ok(unfold(lines, |(mut body, mut buffer)| async move {
            let event = next_event(&mut body, &mut buffer).await?;
            Some((event, (body, buffer)))
        }))
    }

    async fn read(
        &self,
        path: &str,
        token: &Token,
        accept: HeaderValue,
    ) -> Result<Zeroizing<Vec<u8>>, Trouble> {
        within(async { whole(self.ask(path, token, accept).await?.into_body()).await }).await
    }

    async fn ask(
        &self,
        path: &str,
        token: &Token,
        accept: HeaderValue,
    ) -> Result<Response<Body>, Trouble> {
        let bearer = Zeroizing::new(format!("Bearer {}", token.expose()));
        // A token that cannot be a header is none.
        let mut bearer =
            HeaderValue::from_str(&bearer).map_err(|_secret| Trouble::Unauthenticated)?;
        bearer.set_sensitive(true);
        let request = Request::get(path).header(ACCEPT, accept).header(AUTHORIZATION, bearer);
        let request = request.body(Body::empty()).map_err(Trouble::later)?;
        let answer = self.client.send(request).await.map_err(Trouble::later)?;
        match answer.status() {
            status if status.is_success() => Ok(answer),
            StatusCode::NOT_FOUND => Err(Trouble::NotFound),
            StatusCode::FORBIDDEN => Err(Trouble::Forbidden),
            StatusCode::UNAUTHORIZED => Err(Trouble::Unauthenticated),
            status => Err(Trouble::Later {
                cause: Strange::Status(status).into(),
                after: retry_after(answer.headers()),
            }),
        }
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Api")
    }
}

// === impl Wanted ===

impl Wanted {
    fn path(&self) -> String {
        // Names are checked: none needs an escape.
        format!(
            "/api/v1/namespaces/{}/{}/{}",
            self.namespace.as_str(),
            self.resource.plural(),
            self.name.as_str()
        )
    }

    /// From any state on, which the server has in memory: an object that has not changed for long is in one that no
    /// server remembers.
    fn path_of_watch(&self, length: Duration) -> String {
        format!(
            "/api/v1/namespaces/{}/{}?watch=true&allowWatchBookmarks=true&resourceVersion=0&fieldSelector=metadata.name%3D{}&timeoutSeconds={}",
            self.namespace.as_str(),
            self.resource.plural(),
            self.name.as_str(),
            length.as_secs().max(1)
        )
    }
}

// === impl Trouble ===

impl Trouble {
    fn later(cause: impl Into<Cause>) -> Self {
        Self::Later { cause: cause.into(), after: None }
    }
}

async fn within<T>(work: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(answer) => answer,
        Err(_) => Err(Trouble::later(Strange::Slow)),
    }
}

async fn whole(mut body: Body) -> Result<Zeroizing<Vec<u8>>, Trouble> {
    let mut all = Zeroizing::new(Vec::new());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(Trouble::later)?;
        let Some(data) = frame.data_ref() else { continue };
        if all.len() + data.len() > MOST {
            return Err(Trouble::later(Strange::Long));
        }
        all.extend_from_slice(data);
    }
    Ok(all)
}

/// Returns the next event, or nothing when the watch has ended.
async fn next_event(body: &mut Body, buffer: &mut Zeroizing<Vec<u8>>) -> Option<Event> {
    loop {
        while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
            let line: Zeroizing<Vec<u8>> = Zeroizing::new(buffer.drain(..=end).collect());
            if let Some(event) = event(&line) {
                return Some(event);
            }
        }
        let frame = body.frame().await?.ok()?;
        if let Some(data) = frame.data_ref() {
            buffer.extend_from_slice(data);
        }
        if buffer.len() > MOST_OF_EVENT {
            return None;
        }
    }
}

fn event(line: &[u8]) -> Option<Event> {
    #[derive(Deserialize)]
    struct Line<'a> {
        #[serde(rename = "type")]
        what: String,
        #[serde(borrow)]
        object: &'a serde_json::value::RawValue,
    }
    let line: Line<'_> = serde_json::from_slice(line).ok()?;
    match line.what.as_str() {
        "ADDED" | "MODIFIED" => Version::parse(line.object.get().as_bytes()).ok().map(Event::Is),
        "DELETED" => Some(Event::Gone),
        "ERROR" => Some(Event::Expired),
        _ => None,
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}
