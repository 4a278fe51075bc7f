//! What surrounds every call, so that no handler contains any of it: a span, a task of its own, one line.
//!
//! The task belongs to the driver, not to the client's connection. tonic drops a handler when its client hangs
//! up; a dropped handler would release its lock while a blocking thread still works on the volume, and the
//! retry would meet it. A panic ends its own call alone and is answered as INTERNAL.
//!
//! A streamed answer leaves the task with its first message: what is sent after that is the connection's.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::task::JoinError;
use tonic::Status;
use tonic::codegen::http::{Request, Response};
use tower::{Layer, Service};
use tracing::{Instrument, Span, error_span, field};

use super::{Calls, Method, Tally, answer, outcome};
use crate::error::{Cause, Error};

/// Gives every call of a server its span, its task and its line.
#[derive(Debug, Clone)]
pub struct CallsLayer {
    calls: Calls,
}

/// A service whose calls are surrounded.
#[derive(Debug, Clone)]
pub struct Surrounded<S> {
    inner: S,
    calls: Calls,
}

// === impl CallsLayer ===

impl CallsLayer {
    /// Returns a layer whose calls appear in the table while they run.
    pub fn new(calls: Calls) -> Self {
        Self { calls }
    }
}

impl<S> Layer<S> for CallsLayer {
    type Service = Surrounded<S>;

    fn layer(&self, inner: S) -> Surrounded<S> {
        Surrounded { inner, calls: self.calls.clone() }
    }
}

// === impl Surrounded ===

impl<S, B, A> Service<Request<B>> for Surrounded<S>
where
    S: Service<Request<B>, Response = Response<A>>,
    S::Future: Send + 'static,
    S::Error: Into<Cause> + Send + 'static,
    A: Default + Send + 'static,
{
    type Response = Response<A>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<A>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let path = request.uri().path();
        let method = Method::of_path(path);
        let name = name_of(method, path).into_owned();
        // At the level of errors, so that a line is never without its method whatever the filter says.
        let span = error_span!("rpc", method = name, volume = field::Empty);
        let handler = span.in_scope(|| self.inner.call(request));
        let tally = self.calls.tally().clone();
        let call = run(method, handler, tally, span.clone()).instrument(span);
        let call = self.calls.spawn(&name, call);
        Box::pin(async move { call.await.unwrap_or_else(|ended| Ok(stopped(method, &ended))) })
    }
}

/// Carries out one call to its end, whatever the client does meanwhile.
async fn run<F, A, E>(
    method: Method,
    handler: F,
    tally: Tally,
    span: Span,
) -> Result<Response<A>, E>
where
    F: Future<Output = Result<Response<A>, E>> + Send + 'static,
    A: Default + Send + 'static,
    E: Send + 'static,
{
    let began = Instant::now();
    // A task within the task, because a panic is caught at the edge of one and the line comes after it.
    let ended = tokio::spawn(handler.instrument(span)).await;
    let response = ended.unwrap_or_else(|ended| Ok(stopped(method, &ended)));
    if let Ok(response) = &response {
        // An answer without the header is a good one: its status comes behind the message.
        let status = Status::from_header_map(response.headers()).unwrap_or_else(|| Status::ok(""));
        let took = began.elapsed();
        tally.count(method, status.code(), took);
        outcome::log(method, &status, took);
    }
    response
}

/// Answers a call whose task ended without an answer.
fn stopped<A: Default>(method: Method, ended: &JoinError) -> Response<A> {
    let error = if ended.is_panic() {
        Error::internal(
            method.to_string(),
            "the call panicked, which is a defect of the driver: its log says where",
        )
    } else {
        Error::Unreachable { peer: "the driver".to_owned(), source: "it is stopping".into() }
    };
    match answer::<()>(method, Err(error)) {
        Err(status) => status.into_http(),
        Ok(_) => Response::default(),
    }
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
