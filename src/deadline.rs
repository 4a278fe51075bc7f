//! Until when somebody waits for the answer to the call that this task carries out.
//!
//! Whoever waits for another process has to answer before the caller gives up: an answer that comes too late is none, and
//! what would have been "still going on" or "there is no room" is only a call that failed.

use std::future::Future;
use std::time::{Duration, Instant};

tokio::task_local! {
    static DEADLINE: Option<Instant>;
}

/// Carries out the work of a call whose caller waits so long; nothing is for ever.
pub async fn within<F: Future>(patience: Option<Duration>, work: F) -> F::Output {
    let deadline = patience.and_then(|patience| Instant::now().checked_add(patience));
    DEADLINE.scope(deadline, work).await
}

/// Returns until when the caller of this task waits, if it is known.
pub fn deadline() -> Option<Instant> {
    DEADLINE.try_with(|deadline| *deadline).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_deadline_is_that_of_the_call() {
        assert_eq!(deadline(), None);
        let left = async { deadline().map(|at| at.duration_since(Instant::now())) };
        let left = within(Some(Duration::from_mins(1)), left).await.unwrap();
        assert!(left > Duration::from_secs(50) && left <= Duration::from_mins(1), "{left:?}");
        assert_eq!(within(None, async { deadline() }).await, None);
        assert_eq!(within(Some(Duration::MAX), async { deadline() }).await, None);
    }
}
