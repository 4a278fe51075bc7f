//! The signals that ask the driver to stop.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for signals that ask the driver to stop.
#[derive(Debug)]
pub struct Stops {
    /// Kubernetes and systemd send it.
    terminate: Signal,
    /// Ctrl-C sends it.
    interrupt: Signal,
}

// === impl Stops ===

impl Stops {
    /// Takes the signals over; from now on they no longer end the process by themselves.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next one and returns its name.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
