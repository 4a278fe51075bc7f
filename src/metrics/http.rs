//! A small HTTP server: three paths, one request for each connection, and limits on all that a client can take.
//!
//! A client that is slow, silent or hostile costs one of a few connections for a few seconds, and nothing else.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::page::{Page, State};

/// How many clients are served at once; others wait in the kernel.
const CONNECTIONS: usize = 32;

/// How long a client may take to say what it wants.
const ASKING: Duration = Duration::from_secs(2);

/// How long a client may take in all, to ask and to read.
const ALL: Duration = Duration::from_secs(10);

/// How much a request may have before its body, which nobody reads.
const MOST_BYTES: usize = 16 << 10;
const MOST_HEADERS: usize = 64;

/// How long nobody is accepted after that failed: there may be no descriptor left.
const PAUSE: Duration = Duration::from_millis(100);

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// Answers whoever connects.
pub(super) async fn serve(listener: TcpListener, page: Arc<Page>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    // The semaphore is never closed, so that there is always a next slot.
    while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let connection = connection(stream, Arc::clone(&page));
                tokio::spawn(async move {
                    if tokio::time::timeout(ALL, connection).await.is_err() {
                        tracing::debug!("a client of the metrics was too slow");
                    }
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::debug!(%error, "nobody can be accepted for metrics");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn connection(stream: TcpStream, page: Arc<Page>) -> impl Future<Output = ()> + Send {
    let service = service_fn(move |request: Request<Incoming>| {
        let page = Arc::clone(&page);
        async move { Ok::<_, Infallible>(answer(&request, &page).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(ASKING)
        .max_headers(MOST_HEADERS)
        .max_buf_size(MOST_BYTES)
        // A client that keeps its connection would keep a slot.
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a client of the metrics was not served");
        }
    }
}

async fn answer<B>(request: &Request<B>, page: &Page) -> Response<Full<Bytes>> {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    match (request.uri().path(), page.state()) {
        ("/metrics", _) => metrics(page).await,
        ("/healthz", _) | ("/readyz", State::Ready) => text(StatusCode::OK, "ok\n"),
        ("/readyz", State::Starting) => {
            text(StatusCode::SERVICE_UNAVAILABLE, "the pools are being opened\n")
        }
        ("/readyz", State::Stopping) => {
            text(StatusCode::SERVICE_UNAVAILABLE, "the driver is stopping\n")
        }
        _ => text(StatusCode::NOT_FOUND, "there is /metrics, /healthz and /readyz\n"),
    }
}

async fn metrics(page: &Page) -> Response<Full<Bytes>> {
    match page.text().await {
        Ok(figures) => response(StatusCode::OK, OPEN_METRICS, figures.into()),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be written");
            text(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written\n")
        }
    }
}

fn text(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    response(status, PLAIN, Bytes::from_static(text.as_bytes()))
}

fn response(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
