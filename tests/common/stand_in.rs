//! An API server as far as volumes read from one: config maps, secrets, watches, and every way to fail.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use http_body_util::StreamBody;
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::broadcast;

/// A stand-in, gone with its runtime.
#[derive(Clone)]
pub struct StandIn {
    state: Arc<Mutex<State>>,
    events: broadcast::Sender<(String, String)>,
    address: String,
}

#[derive(Default)]
struct State {
    /// By their paths.
    objects: BTreeMap<String, Value>,
    version: u64,
    faults: BTreeMap<String, Fault>,
    asked: Vec<Asked>,
    connections: usize,
    watching: usize,
    may_watch: bool,
}

/// A request that arrived.
#[derive(Debug, Clone)]
pub struct Asked {
    pub path: String,
    pub bearer: String,
    pub is_metadata: bool,
    pub is_watch: bool,
}

/// What happens in place of an answer.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    Status(u16),
    RetryAfter(u16, u64),
    Silence,
    Cut,
    /// Another address, to which the caller is sent.
    Redirect(&'static str),
}

type Body = StreamBody<BoxStream<'static, Result<Frame<Bytes>, std::io::Error>>>;

impl StandIn {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (events, _) = broadcast::channel(1024);
        let stand_in = Self { state: Arc::default(), events, address };
        let serving = stand_in.clone();
        tokio::spawn(async move {
            loop {
                let (connection, _) = listener.accept().await.unwrap();
                serving.state.lock().unwrap().connections += 1;
                let serving = serving.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request| serving.clone().answer(request));
                    let serve = hyper::server::conn::http1::Builder::new();
                    // A connection that is cut ends with an error, which is what was wanted.
                    serve.serve_connection(TokioIo::new(connection), service).await.ok();
                });
            }
        });
        stand_in
    }

    /// Writes a kubeconfig that leads here.
    pub fn kubeconfig(&self, file: &Path) {
        let config = json!({
            "clusters": [{ "name": "c", "cluster": { "server": self.address } }],
            "users": [{ "name": "u", "user": {} }],
            "contexts": [{ "name": "c", "context": { "cluster": "c", "user": "u" } }],
            "current-context": "c",
        });
        std::fs::write(file, config.to_string()).unwrap();
    }

    /// Returns its URL.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Makes or changes an object, whose fields beside the metadata are those given.
    pub fn put(&self, path: &str, fields: Value) {
        self.put_as(path, "uid-1", fields);
    }

    /// Makes or changes an object with this uid.
    pub fn put_as(&self, path: &str, uid: &str, mut fields: Value) {
        let mut state = self.state.lock().unwrap();
        state.version += 1;
        let name = path.rsplit('/').next().unwrap();
        let version = state.version.to_string();
        let own = json!({ "name": name, "uid": uid, "resourceVersion": version });
        match fields.get_mut("metadata").and_then(Value::as_object_mut) {
            Some(metadata) => metadata.extend(own.as_object().unwrap().clone()),
            None => fields["metadata"] = own,
        }
        let is_new = state.objects.insert(path.to_owned(), fields.clone()).is_none();
        drop(state);
        let what = if is_new { "ADDED" } else { "MODIFIED" };
        self.tell(path, what, &fields);
    }

    /// Makes or changes a pod.
    pub fn put_pod(&self, path: &str, uid: &str, labels: &Value, annotations: &Value) {
        let metadata = json!({ "labels": labels, "annotations": annotations });
        self.put_as(path, uid, json!({ "metadata": metadata, "spec": { "containers": [] } }));
    }

    pub fn delete(&self, path: &str) {
        let gone = self.state.lock().unwrap().objects.remove(path);
        if let Some(gone) = gone {
            self.tell(path, "DELETED", &gone);
        }
    }

    fn tell(&self, path: &str, what: &str, object: &Value) {
        // Nobody may be watching.
        self.events.send((path.to_owned(), event(what, object))).ok();
    }

    /// Lets every request for the object fail, or no more.
    pub fn fail(&self, path: &str, fault: Option<Fault>) {
        let mut state = self.state.lock().unwrap();
        match fault {
            Some(fault) => state.faults.insert(path.to_owned(), fault),
            None => state.faults.remove(path),
        };
    }

    pub fn allow_watch(&self) {
        self.state.lock().unwrap().may_watch = true;
    }

    /// Returns how many watches are open.
    pub fn watching(&self) -> usize {
        self.state.lock().unwrap().watching
    }

    /// Returns what was asked since the last time.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.state.lock().unwrap().asked)
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Body>, std::io::Error> {
        let header = |name: &str| {
            let value = request.headers().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let uri = request.uri();
        let query = uri.query().unwrap_or_default();
        let is_watch = query.contains("watch=true");
        let path = match query.split("metadata.name%3D").nth(1) {
            Some(name) => format!("{}/{}", uri.path(), name.split('&').next().unwrap()),
            None => uri.path().to_owned(),
        };
        let asked = Asked {
            path: path.clone(),
            bearer: header("authorization"),
            is_metadata: header("accept").contains("PartialObjectMetadata"),
            is_watch,
        };
        let (fault, object, may_watch) = {
            let mut state = self.state.lock().unwrap();
            state.asked.push(asked.clone());
            let fault = state.faults.get(&path).copied();
            (fault, state.objects.get(&path).cloned(), state.may_watch)
        };
        match fault {
            Some(Fault::Status(code)) => return Ok(status(code)),
            Some(Fault::RetryAfter(code, seconds)) => {
                let mut answer = status(code);
                answer.headers_mut().insert("retry-after", seconds.into());
                return Ok(answer);
            }
            Some(Fault::Redirect(to)) => {
                let mut answer = status(307);
                answer.headers_mut().insert("location", format!("{to}{path}").parse().unwrap());
                return Ok(answer);
            }
            Some(Fault::Silence) => std::future::pending().await,
            Some(Fault::Cut) => return Err(std::io::Error::other("cut")),
            None if is_watch && !may_watch => return Ok(status(403)),
            None if is_watch => return Ok(self.watch(path)),
            None => {}
        }
        Ok(match object {
            None => status(404),
            Some(object) if asked.is_metadata => {
                whole(json!({ "metadata": object["metadata"] }).to_string())
            }
            Some(object) => whole(object.to_string()),
        })
    }

    fn watch(self, path: String) -> Response<Body> {
        let present = {
            let mut state = self.state.lock().unwrap();
            state.watching += 1;
            state.objects.get(&path).map(|object| event("ADDED", object))
        };
        let present = stream::iter(present.map(|line| Ok(Frame::data(Bytes::from(line)))));
        let watched = Watched(self.clone());
        let events =
            stream::unfold((self.events.subscribe(), watched), move |(mut all, watched)| {
                let path = path.clone();
                async move {
                    loop {
                        let (of, line) = all.recv().await.ok()?;
                        if of == path {
                            let frame = Frame::data(Bytes::from(line));
                            return Some((Ok(frame), (all, watched)));
                        }
                    }
                }
            });
        Response::new(StreamBody::new(present.chain(events).boxed()))
    }
}

/// Counts a watch for as long as it is open.
struct Watched(StandIn);

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.state.lock().unwrap().watching -= 1;
    }
}

fn event(what: &str, object: &Value) -> String {
    let line = json!({ "type": what, "object": { "metadata": object["metadata"] } });
    format!("{line}\n")
}

fn status(code: u16) -> Response<Body> {
    let mut answer = whole(json!({ "kind": "Status", "code": code }).to_string());
    *answer.status_mut() = StatusCode::from_u16(code).unwrap();
    answer
}

fn whole(text: String) -> Response<Body> {
    let frame = stream::once(async { Ok(Frame::data(Bytes::from(text))) });
    Response::new(StreamBody::new(frame.boxed()))
}

/// Waits until it is so; it must become so.
pub async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let limit = Duration::from_secs(20);
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(limit, waiting).await.unwrap_or_else(|_| panic!("not yet: {what}"));
}
