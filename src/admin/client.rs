//! Asks a running driver over its admin socket, and finds out whether there is one.

use std::error::Error as StdError;
use std::io;

use tonic::Status;
use tonic::transport::{self, Channel};

use crate::config::Endpoint;
use crate::csi::admin::admin_client::AdminClient;

/// A driver that does not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Its socket is there, but does not work.
    #[error("cannot reach the driver at {at}")]
    Connect {
        /// The socket.
        at: Endpoint,
        /// Why.
        #[source]
        source: transport::Error,
    },
    /// It says no.
    #[error("the driver refused: {}", .0.message())]
    Refused(Status),
}

/// Returns a client of the driver that listens there, or nothing when none does.
pub async fn connect(at: &Endpoint) -> Result<Option<AdminClient<Channel>>, AdminError> {
    let failed = |source| AdminError::Connect { at: at.clone(), source };
    let channel = transport::Endpoint::from_shared(at.to_string()).map_err(failed)?;
    match channel.connect().await {
        Ok(channel) => Ok(Some(AdminClient::new(channel))),
        Err(error) if is_nobody(&error) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// Says whether there is no socket, or one that nobody listens on: the error itself is below tonic's own.
fn is_nobody(error: &transport::Error) -> bool {
    let mut cause: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(this) = cause {
        if let Some(error) = this.downcast_ref::<io::Error>() {
            return matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            );
        }
        cause = this.source();
    }
    false
}
