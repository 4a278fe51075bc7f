//! Calls of any RPC with any bytes: a client that knows none of our types, nor keeps to any rule.

use http_body_util::{BodyExt, Full};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{Bytes, Service, http};
use tonic::transport::Channel;
use tower::ServiceExt;

/// Returns the message as gRPC sends it: not compressed, and its length first.
pub fn frame(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap();
    [&[0], &length.to_be_bytes()[..], message].concat().into()
}

/// Posts the bytes to the RPC, reads whatever comes, and returns how the call ended.
pub async fn post(channel: &mut Channel, path: &str, body: Bytes) -> Status {
    let request = http::Request::post(format!("http://localhost{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::new(Full::new(body)))
        .unwrap();
    let answered = match channel.ready().await {
        Ok(ready) => ready.call(request).await,
        Err(error) => Err(error),
    };
    let response = match answered {
        Ok(response) => response,
        Err(error) => return Status::unavailable(format!("{error:?}")),
    };
    let at_once = Status::from_header_map(response.headers());
    let ended = match response.into_body().collect().await {
        Ok(collected) => collected.trailers().and_then(Status::from_header_map),
        Err(error) => Some(Status::unavailable(format!("{error:?}"))),
    };
    at_once.or(ended).unwrap_or_else(|| Status::unknown("the call ended without a status"))
}
