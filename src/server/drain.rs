//! The end of a driver: nothing new is accepted, what began is finished within a limit, and what was not
//! finished is said aloud.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::locks::Locks;
use crate::rpc::Calls;

/// What the end of the driver depends on.
#[derive(Debug, Clone)]
pub struct Drain {
    /// Cancelled when nothing new is to be accepted.
    pub stop: CancellationToken,
    /// What is running.
    pub calls: Calls,
    /// What is reserved.
    pub locks: Locks,
    /// How long it may take.
    pub grace: Duration,
}

/// How long an idle connection is given to close.
const COURTESY: Duration = Duration::from_secs(1);

/// How a driver ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Everything that began was finished.
    Cleanly,
    /// Something was still running.
    Unfinished,
}

// === impl Drain ===

impl Drain {
    /// Stops accepting and waits for the connections and the calls, but no longer than the limit and not beyond
    /// a second signal, which gives its name.
    pub async fn run(
        self,
        serving: impl Future<Output = ()>,
        again: impl Future<Output = &'static str>,
    ) -> Ended {
        let began = Instant::now();
        self.stop.cancel();
        tracing::info!(running = self.calls.running().len(), within = ?self.grace, "stopping");
        let finished = async {
            tokio::select! {
                () = serving => {}
                () = self.quiet() => {}
            }
            self.calls.finished().await;
        };
        tokio::select! {
            () = finished => {
                tracing::info!(after = format_args!("{:.1?}", began.elapsed()), "stopped");
                return Ended::Cleanly;
            }
            () = tokio::time::sleep(self.grace) => {}
            name = again => tracing::warn!(signal = name, "asked again: stopping at once"),
        }
        self.report()
    }

    /// Waits until no call is running, and then a moment for the connections: one that stays open without a
    /// call on it is no unfinished work.
    async fn quiet(&self) {
        self.calls.finished().await;
        tokio::time::sleep(COURTESY).await;
    }

    fn report(&self) -> Ended {
        let calls = joined(self.calls.running().iter());
        let ids = self.locks.held();
        let ids = joined(
            ids.iter().map(|(id, since)| format!("{id} (for {} s)", since.elapsed().as_secs())),
        );
        tracing::warn!(calls, ids, "stopped with calls unfinished: their retries will finish them");
        Ended::Unfinished
    }
}

fn joined(things: impl Iterator<Item: ToString>) -> String {
    things.map(|thing| thing.to_string()).collect::<Vec<_>>().join(", ")
}
