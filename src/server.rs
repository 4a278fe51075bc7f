//! Which services listen on which socket; the only user of tonic's transport.
//!
//! The address that a client thinks it calls (`:authority`) means nothing here: a Unix socket has none.

mod authority;
mod drain;
mod services;
mod signal;
mod socket;

use std::future::Future;

use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::UnixListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;

pub use drain::{Drain, Ended};
pub use services::Services;
pub use signal::Stops;
pub use socket::{Socket, SocketError, SocketFile};

use crate::rpc::{Calls, CallsLayer};

use authority::AnyAuthority;

/// Serves the services on the socket until it is told to stop, then until every connection is done.
///
/// A connection is done when its calls are answered, not when their work ends: see [`Calls::finished`].
pub fn serve(
    socket: Socket,
    services: Services,
    calls: Calls,
    stop: CancellationToken,
) -> impl Future<Output = Result<(), tonic::transport::Error>> + Send {
    let Socket { listener, file, is_called_by_path } = socket;
    let layer = CallsLayer::new(calls, stop.clone());
    let stopped = async move {
        stop.cancelled().await;
        // First the file and then the listener: who comes now finds nothing, rather than nobody.
        drop(file);
    };
    let server = Server::builder().layer(layer);
    let incoming = UnixListenerStream::new(listener);
    async move {
        if is_called_by_path {
            let incoming = incoming.map(|stream| stream.map(AnyAuthority::new));
            server.serve_with_incoming_shutdown(services, incoming, stopped).await
        } else {
            server.serve_with_incoming_shutdown(services, incoming, stopped).await
        }
    }
}
