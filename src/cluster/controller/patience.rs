//! How long a call waits for a node.

use std::time::Duration;

use tokio::time::Instant;

use crate::deadline::deadline;

/// How long a call waits whose caller does not say: less than the ten seconds of the sidecars.
const USUAL: Duration = Duration::from_secs(8);

/// How much earlier than its caller a call gives up, at most: its answer has a way to go, and something may have to be
/// taken back before.
const MARGIN: Duration = Duration::from_millis(700);

/// How long a node that is not ready has to begin with a wish.
const UNCLAIMED: Duration = Duration::from_secs(3);

/// How often a call looks whether the node is ready, when nothing else wakes it.
const LOOK: Duration = Duration::from_secs(1);

/// How long one call waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    began: Instant,
    until: Instant,
}

// === impl Patience ===

impl Patience {
    /// Begins to wait for as long as the caller does.
    pub(super) fn begin() -> Self {
        let began = Instant::now();
        let until = deadline().map_or(began + USUAL, |deadline| {
            let deadline = Instant::from_std(deadline);
            let left = deadline.saturating_duration_since(began);
            deadline - MARGIN.min(left / 4)
        });
        Self { began, until }
    }

    /// Returns whether the call has to be answered now.
    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    /// Returns whether nobody can be expected any more to begin.
    pub(super) fn is_over_for_a_node(&self, is_ready: bool) -> bool {
        self.is_over() || (!is_ready && self.began.elapsed() >= UNCLAIMED)
    }

    /// Returns how long it has been.
    pub(super) fn waited(&self) -> Duration {
        self.began.elapsed()
    }

    /// Waits for the sign, and in any case not much longer than until there is something to decide.
    pub(super) async fn wait(&self, sign: impl Future) {
        let next = self.until.min(Instant::now() + LOOK);
        drop(tokio::time::timeout_at(next, sign).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deadline::within;

    #[tokio::test(start_paused = true)]
    async fn a_call_is_answered_before_its_caller_gives_up() {
        for (given, until) in [
            (None, USUAL),
            (Some(Duration::from_secs(10)), Duration::from_millis(9300)),
            (Some(Duration::from_secs(1)), Duration::from_millis(750)),
            (Some(Duration::ZERO), Duration::ZERO),
        ] {
            let patience = within(given, async { Patience::begin() }).await;
            let waits = patience.until - patience.began;
            assert!(waits.abs_diff(until) < Duration::from_millis(100), "{given:?} {waits:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_is_not_ready_has_three_seconds() {
        let patience = Patience::begin();
        assert!(!patience.is_over_for_a_node(false));
        tokio::time::advance(UNCLAIMED).await;
        assert!(patience.is_over_for_a_node(false));
        assert!(!patience.is_over_for_a_node(true));
        tokio::time::advance(USUAL).await;
        assert!(patience.is_over_for_a_node(true));
    }
}
