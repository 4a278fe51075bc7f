//! Asks the pools for their figures without ever being held up by one.
//!
//! A disk that hangs keeps the thread that asked it. So each pool is asked one question at a time: as long as it
//! has not answered, another scrape waits for that same answer and no second thread is lost.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::backend::{Pool, PoolFigures, Registry};

/// How long a scrape waits for the pools; Prometheus waits for ten seconds in all.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a pool answered: nothing when it did not, in time or at all.
type Answer = Option<Arc<PoolFigures>>;

/// A pool and what it was asked last.
#[derive(Debug)]
pub(super) struct Asked {
    pool: Pool,
    last: Mutex<Option<watch::Receiver<Option<Answer>>>>,
}

/// Returns the pools as ones that nobody has asked yet.
pub(super) fn unasked(pools: &Registry) -> Vec<Asked> {
    pools.iter().map(|pool| Asked { pool: pool.clone(), last: Mutex::default() }).collect()
}

/// Asks all pools at once, for themselves and for at most `most` volumes of each.
pub(super) async fn gather(pools: &[Asked], most: usize) -> Vec<(&str, Answer)> {
    within(PATIENCE, pools, most).await
}

async fn within(patience: Duration, pools: &[Asked], most: usize) -> Vec<(&str, Answer)> {
    let until = Instant::now() + patience;
    let asked: Vec<_> = pools.iter().map(|pool| (pool.name(), pool.ask(most))).collect();
    let mut answers = Vec::with_capacity(asked.len());
    for (name, mut answer) in asked {
        let answer = match timeout_at(until, answer.wait_for(Option::is_some)).await {
            Ok(Ok(answer)) => answer.clone().flatten(),
            // It hangs, or what asked it panicked, which its log line says.
            Ok(Err(_)) | Err(_) => None,
        };
        answers.push((name, answer));
    }
    answers
}

// === impl Asked ===

impl Asked {
    fn name(&self) -> &str {
        &self.pool.name
    }

    /// Returns where the answer will be: the one that is still awaited, or that to a new question.
    fn ask(&self, most: usize) -> watch::Receiver<Option<Answer>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(awaited) = last.as_ref().filter(|answer| is_awaited(answer)) {
            return awaited.clone();
        }
        let (tell, answer) = watch::channel(None);
        let pool = self.pool.clone();
        tokio::spawn(async move {
            let figures = pool.backend.figures(most).await;
            let figures = figures.map(Arc::new).map_err(|error| {
                tracing::warn!(pool = pool.name, "no figures of the pool: {}", error.sentence());
            });
            tell.send_replace(Some(figures.ok()));
        });
        *last = Some(answer.clone());
        answer
    }
}

/// Says whether an answer may still come: there is none yet, and somebody who would give it.
fn is_awaited(answer: &watch::Receiver<Option<Answer>>) -> bool {
    answer.borrow().is_none() && answer.has_changed().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::faulty::{Faulty, When};
    use crate::backend::memory::Memory;
    use crate::host::simulated::Simulated;
    use crate::volume::Bytes;

    const MOMENT: Duration = Duration::from_millis(200);

    fn pool(name: &str) -> Pool {
        let backend = Memory::new(name, Bytes::gib(1), Simulated::default());
        Pool { name: name.to_owned(), backend: Arc::new(backend) }
    }

    fn faulty(name: &str, when: When) -> Pool {
        let Pool { name, backend } = pool(name);
        Pool { name, backend: Arc::new(Faulty::new(backend, 1, when)) }
    }

    async fn answered(pools: &[Asked]) -> Vec<(&str, bool)> {
        let answers = within(MOMENT, pools, 10).await;
        answers.into_iter().map(|(name, answer)| (name, answer.is_some())).collect()
    }

    #[tokio::test]
    async fn a_pool_that_hangs_holds_up_no_other_and_is_asked_once() {
        let pools = Registry::new(vec![faulty("hung", When::Never), pool("well")]);
        let pools = unasked(&pools);
        let began = Instant::now();
        for _ in 0..2 {
            // Asked a second time, the pool would answer.
            assert_eq!(answered(&pools).await, [("hung", false), ("well", true)]);
        }
        assert!(began.elapsed() < 4 * MOMENT, "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn a_pool_that_failed_is_asked_again() {
        let pools = unasked(&Registry::new(vec![faulty("sick", When::Before)]));
        assert_eq!(answered(&pools).await, [("sick", false)]);
        assert_eq!(answered(&pools).await, [("sick", true)]);
    }
}
