//! What surrounds every call, so that no handler contains any of it: a span, a task of its own, one line.
//!
//! The task belongs to the driver, not to the client's connection. tonic drops a handler when its client hangs
//! up; a dropped handler would release its lock while a blocking thread still works on the volume, and the
//! retry would meet it. A panic ends its own call alone and is answered as INTERNAL.
//!
//! A streamed answer leaves the task when its handler returns; [`Streamed`] goes with it to its end.

use std::borrow::Cow;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use futures_util::FutureExt;
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tonic::codegen::{Body as HttpBody, Bytes};
use tower::{Layer, Service};
use tracing::{Instrument, Span, error_span, field};

use super::stream::{Open, Streamed};
use super::{Calls, Method, Tally, answer, outcome, patience, unread};
use crate::deadline;
use crate::error::{Cause, Error};

/// Gives every call of a server its span, its task and its line.
#[derive(Debug, Clone)]
pub struct CallsLayer {
    calls: Calls,
    stop: CancellationToken,
}

/// A service whose calls are surrounded.
#[derive(Debug, Clone)]
pub struct Surrounded<S> {
    inner: S,
    calls: Calls,
    stop: CancellationToken,
}

// === impl CallsLayer ===

impl CallsLayer {
    /// Returns a layer whose calls appear in the table while they run, and whose streams end at `stop`.
    pub fn new(calls: Calls, stop: CancellationToken) -> Self {
        Self { calls, stop }
    }
}

impl<S> Layer<S> for CallsLayer {
    type Service = Surrounded<S>;

    fn layer(&self, inner: S) -> Surrounded<S> {
        Surrounded { inner, calls: self.calls.clone(), stop: self.stop.clone() }
    }
}

// === impl Surrounded ===

impl<S, B, A> Service<Request<B>> for Surrounded<S>
where
    S: Service<Request<B>, Response = Response<A>>,
    S::Future: Send + 'static,
    S::Error: Into<Cause> + Send + 'static,
    A: HttpBody<Data = Bytes> + Default + Send + 'static,
    A::Error: Into<Cause>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let path = request.uri().path();
        let method = Method::of_path(path);
        let patience = patience::of(request.headers());
        let name = name_of(method, path).into_owned();
        // At the level of errors, so that a line is never without its method whatever the filter says.
        let span = error_span!("rpc", method = name, volume = field::Empty);
        let handler = span.in_scope(|| self.inner.call(request));
        let handler = deadline::within(patience, handler);
        let calls = (self.calls.clone(), self.stop.clone());
        let call = run(method, handler, calls, span.clone()).instrument(span);
        let call = self.calls.spawn(&name, call);
        Box::pin(async move { call.await.unwrap_or_else(|ended| Ok(stopped(method, &ended))) })
    }
}

/// Carries out one call to its end, whatever the client does meanwhile.
async fn run<F, A, E>(
    method: Method,
    handler: F,
    (calls, stop): (Calls, CancellationToken),
    span: Span,
) -> Result<Response<Body>, E>
where
    F: Future<Output = Result<Response<A>, E>> + Send + 'static,
    A: HttpBody<Data = Bytes> + Default + Send + 'static,
    A::Error: Into<Cause>,
    E: Send + 'static,
{
    let began = Instant::now();
    // Here and not at the edge of the task, because the line comes after it. By then all that the call had is dropped,
    // and whoever enters a lock that was held in a panic knows that what is behind it is whole.
    let handler = AssertUnwindSafe(unread::told_apart(handler)).catch_unwind();
    let response = handler.await.unwrap_or_else(|_panic| Ok(failed(method, panicked(method))))?;
    // An answer without the header is a good one so far: its status comes behind the last message.
    let status = Status::from_header_map(response.headers());
    let response = response.map(Body::new);
    if status.is_none() && method.streams() {
        let (entry, tally) = (calls.enter(&method.to_string()), calls.tally().clone());
        let open = Open { method, span, began, entry, tally };
        return Ok(response.map(|body| Body::new(Streamed::new(body, open, stop))));
    }
    told(method, &status.unwrap_or_else(|| Status::ok("")), began, calls.tally());
    Ok(response)
}

/// Tells how a call ended.
pub(super) fn told(method: Method, status: &Status, began: Instant, tally: &Tally) {
    let took = began.elapsed();
    tally.count(method, status.code(), took);
    outcome::log(method, status, took);
}

/// Answers a call whose task ended without an answer.
fn stopped<A: Default>(method: Method, ended: &JoinError) -> Response<A> {
    failed(method, if ended.is_panic() { panicked(method) } else { stopping() })
}

fn failed<A: Default>(method: Method, error: Error) -> Response<A> {
    match answer::<()>(method, Err(error)) {
        Err(status) => status.into_http(),
        Ok(_) => Response::default(),
    }
}

/// Returns what is the matter when the driver itself fell over a call.
pub(super) fn panicked(method: Method) -> Error {
    Error::internal(
        method.to_string(),
        "the call panicked, which is a defect of the driver: its log says where",
    )
}

/// Returns what is the matter when the driver stops before the end of a call.
pub(super) fn stopping() -> Error {
    Error::Unreachable { peer: "the driver".to_owned(), source: "it is stopping".into() }
}

/// Returns the name of the call. A path that is none of CSI's comes from the client: it is cut and escaped.
fn name_of(method: Method, path: &str) -> Cow<'static, str> {
    const LONGEST: usize = 64;
    if method != Method::Other {
        return method.to_string().into();
    }
    path.chars().take(LONGEST).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests;
