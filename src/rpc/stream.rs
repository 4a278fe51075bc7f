//! A streamed answer: its call goes on until its last message is out, and so do its row in the table and its line.
//!
//! What is still to come is made when the client has room for it, as part of its connection and not of a task: a
//! client that reads slowly slows the work down, and one that hangs up ends it. The status that ends the stream is
//! OK only when the handler says so; a driver that stops, a panic and a client that is gone each have their own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use hyper::body::{Body as HttpBody, Frame};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Bytes;
use tonic::codegen::http::HeaderMap;
use tracing::Span;

use super::calls::Entry;
use super::layer::{panicked, stopping, told};
use super::{Method, Tally};
use crate::error::Error;

/// The body of a streamed answer, watched until it ends.
#[derive(Debug)]
pub(super) struct Streamed {
    body: Body,
    /// Taken when it has ended.
    open: Option<Open>,
    stopping: Pin<Box<WaitForCancellationFutureOwned>>,
}

/// A call whose answer is still being sent.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) method: Method,
    pub(super) span: Span,
    pub(super) began: Instant,
    /// Its row in the table of calls.
    pub(super) entry: Entry,
    pub(super) tally: Tally,
}

type Polled = Poll<Option<Result<Frame<Bytes>, Status>>>;

// === impl Streamed ===

impl Streamed {
    /// Watches the body of a call that has begun to answer, until `stop`.
    pub(super) fn new(body: Body, open: Open, stop: CancellationToken) -> Self {
        Self { body, open: Some(open), stopping: Box::pin(stop.cancelled_owned()) }
    }

    /// Ends the stream here with an error.
    fn end_with(&mut self, error: impl FnOnce(Method) -> Error) -> Polled {
        self.body = Body::empty();
        let Some(open) = self.open.take() else { return Poll::Ready(None) };
        let error = error(open.method);
        let status = Status::new(error.code(open.method), error.sentence());
        let mut trailers = HeaderMap::new();
        let written = status.add_header(&mut trailers);
        open.end(&status);
        // Without trailers the client takes the stream for cut off, which is an error, too.
        Poll::Ready(written.is_ok().then(|| Ok(Frame::trailers(trailers))))
    }

    /// Lets the handler go on, in the span of its call.
    fn go_on(&mut self, context: &mut Context<'_>) -> std::thread::Result<Polled> {
        let span = self.open.as_ref().map_or_else(Span::none, |open| open.span.clone());
        let body = Pin::new(&mut self.body);
        // A panic would take the whole connection with it. The body is not used again after one.
        span.in_scope(|| catch_unwind(AssertUnwindSafe(|| body.poll_frame(context))))
    }

    fn ended(&mut self, status: Option<Status>) {
        if let Some(open) = self.open.take() {
            open.end(&status.unwrap_or_else(|| Status::unknown("the stream has no end")));
        }
    }
}

impl HttpBody for Streamed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Polled {
        let this = self.get_mut();
        if this.open.is_some() && this.stopping.as_mut().poll(context).is_ready() {
            return this.end_with(|_| stopping());
        }
        let Ok(polled) = this.go_on(context) else {
            return this.end_with(panicked);
        };
        let frame = ready!(polled);
        match &frame {
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_ref() {
                    this.ended(Status::from_header_map(trailers));
                }
            }
            Some(Err(status)) => this.ended(Some(status.clone())),
            None => this.ended(None),
        }
        Poll::Ready(frame)
    }
}

impl Drop for Streamed {
    fn drop(&mut self) {
        self.ended(Some(Status::cancelled("the client hung up before the end of the stream")));
    }
}

// === impl Open ===

impl Open {
    fn end(self, status: &Status) {
        self.span.in_scope(|| told(self.method, status, self.began, &self.tally));
        drop(self.entry);
    }
}

#[cfg(test)]
mod tests;
