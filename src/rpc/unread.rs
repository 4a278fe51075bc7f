//! Calls that end before they reach a handler, because what came is no request.
//!
//! tonic answers them with INTERNAL, which here means that the operator has to look. Bytes that nobody can read are
//! the caller's mistake, and are told to the caller.

use std::cell::Cell;
use std::future::Future;

use tonic::codegen::http::Response;
use tonic::{Code, Status};

tokio::task_local! {
    /// Whether the call of this task has reached its handler.
    static REACHED: Cell<bool>;
}

/// Notes that the call of this task has reached its handler; elsewhere there is nothing to note.
pub(super) fn reached() {
    REACHED.try_with(|reached| reached.set(true)).ok();
}

/// Carries out a call, and says of one whose request cannot be read that it is invalid.
pub(super) async fn told_apart<A: Default, E>(
    call: impl Future<Output = Result<Response<A>, E>>,
) -> Result<Response<A>, E> {
    let noted = async { (call.await, REACHED.with(Cell::get)) };
    let (ended, reached) = REACHED.scope(Cell::new(false), noted).await;
    let response = ended?;
    let status = Status::from_header_map(response.headers()).filter(|_| !reached);
    Ok(match status.filter(|status| matches!(status.code(), Code::Internal | Code::Unknown)) {
        Some(status) => unreadable(&status).into_http(),
        None => response,
    })
}

fn unreadable(status: &Status) -> Status {
    Status::invalid_argument(format!("the request cannot be read: {}", status.message()))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::super::{Method, answer};
    use super::*;
    use crate::error::Error;

    async fn code(call: impl Future<Output = Status>) -> Code {
        let call = async { Ok::<_, Infallible>(call.await.into_http::<String>()) };
        let response = told_apart(call).await.unwrap();
        Status::from_header_map(response.headers()).unwrap().code()
    }

    #[tokio::test]
    async fn only_what_reached_no_handler_is_the_callers_mistake() {
        let unread = async { Status::internal("failed to decode Protobuf message") };
        assert_eq!(code(unread).await, Code::InvalidArgument);
        let foreign = async { Status::unimplemented("") };
        assert_eq!(code(foreign).await, Code::Unimplemented);
        let failed = async {
            let outcome: crate::error::Result<()> = Err(Error::internal("look", "it is dark"));
            answer(Method::Probe, outcome).unwrap_err()
        };
        assert_eq!(code(failed).await, Code::Internal);
    }
}
