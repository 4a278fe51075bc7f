//! An error becomes a status: its code by the table, its message the whole chain of causes.

use tonic::{Response, Status};

use super::{Method, unread};
use crate::error::Result;
use crate::sys::carried;

/// Answers an RPC with the outcome of its handler.
pub fn answer<T>(method: Method, outcome: Result<T>) -> std::result::Result<Response<T>, Status> {
    unread::reached();
    outcome.map(Response::new).map_err(|error| Status::new(error.code(method), error.sentence()))
}

/// Answers an RPC that changes something: its handler runs whole on one thread that may block, see [`carried`].
pub async fn carry<T: Send + 'static>(
    method: Method,
    handler: impl Future<Output = Result<T>> + Send + 'static,
) -> std::result::Result<Response<T>, Status> {
    answer(method, carried(handler).await)
}
