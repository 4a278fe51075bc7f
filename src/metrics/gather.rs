//! Asks the pools for their figures without ever being held up by one.
//!
//! A disk that hangs keeps the thread that asked it. So each pool is asked one question at a time: as long as it
//! has not answered, another scrape waits for that same answer and no second thread is lost.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::backend::{Pool, PoolFigures, Registry};
use crate::error::Result;
use crate::volume::{StorageCondition, Unwell};

/// How long a scrape waits for the pools, which say within two seconds what hangs; Prometheus waits for ten.
const PATIENCE: Duration = Duration::from_secs(3);

/// A pool and what it was asked last.
#[derive(Debug)]
pub(super) struct Asked {
    pool: Pool,
    figures: Question<PoolFigures>,
    health: Question<PoolHealth>,
}

/// What a pool answered: nothing where it did not, in time or at all.
#[derive(Debug)]
pub(super) struct Answer {
    /// Its name.
    pub(super) pool: String,
    /// What it is in numbers.
    pub(super) figures: Option<Arc<PoolFigures>>,
    /// What is the matter with it.
    pub(super) health: Option<Arc<PoolHealth>>,
}

/// What is the matter with a pool and its volumes.
#[derive(Debug)]
pub(super) struct PoolHealth {
    /// With the pool itself.
    pub(super) of_pool: Vec<StorageCondition>,
    /// With volumes.
    pub(super) unwell: Vec<Unwell>,
}

/// A question whose answer may still be awaited.
#[derive(Debug)]
struct Question<T> {
    last: Mutex<Option<Awaited<T>>>,
}

/// Where an answer will be: first nothing, then what was answered, or that nothing was.
type Awaited<T> = watch::Receiver<Option<Option<Arc<T>>>>;

/// Returns the pools as ones that nobody has asked yet.
pub(super) fn unasked(pools: &Registry) -> Vec<Asked> {
    pools.iter().cloned().map(Asked::new).collect()
}

/// Asks all pools at once, for themselves and for at most `most` volumes of each.
pub(super) async fn gather(pools: &[Asked], most: usize) -> Vec<Answer> {
    within(PATIENCE, pools, most).await
}

async fn within(patience: Duration, pools: &[Asked], most: usize) -> Vec<Answer> {
    let until = Instant::now() + patience;
    let asked: Vec<_> = pools.iter().map(|pool| (pool, pool.ask(most))).collect();
    let mut answers = Vec::with_capacity(asked.len());
    for (asked, (figures, health)) in asked {
        let pool = asked.pool.name.clone();
        let (figures, health) = (answer(until, figures).await, answer(until, health).await);
        answers.push(Answer { pool, figures, health });
    }
    answers
}

/// Waits for the answer. There is none where the pool hangs, or where what asked it panicked, which its log line
/// says.
async fn answer<T>(until: Instant, mut awaited: Awaited<T>) -> Option<Arc<T>> {
    match timeout_at(until, awaited.wait_for(Option::is_some)).await {
        Ok(Ok(answer)) => answer.clone().flatten(),
        Ok(Err(_)) | Err(_) => None,
    }
}

// === impl Asked ===

impl Asked {
    fn new(pool: Pool) -> Self {
        Self { pool, figures: Question::default(), health: Question::default() }
    }

    fn ask(&self, most: usize) -> (Awaited<PoolFigures>, Awaited<PoolHealth>) {
        let Pool { name, backend } = &self.pool;
        let asked = Arc::clone(backend);
        let figures = self.figures.ask(name, async move { asked.figures(most).await });
        let asked = Arc::clone(backend);
        let health = self.health.ask(name, async move {
            let (of_pool, unwell) =
                tokio::join!(asked.storage_health(), asked.unwell(None, usize::MAX));
            Ok(PoolHealth { of_pool: of_pool?, unwell: unwell? })
        });
        (figures, health)
    }
}

// === impl Question ===

impl<T: Send + Sync + 'static> Question<T> {
    /// Returns where the answer will be: the one that is still awaited, or that to a new question.
    fn ask(
        &self,
        pool: &str,
        asking: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Awaited<T> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(awaited) = last.as_ref().filter(|answer| is_awaited(answer)) {
            return awaited.clone();
        }
        let (tell, answer) = watch::channel(None);
        let pool = pool.to_owned();
        tokio::spawn(async move {
            let answer = asking.await.map(Arc::new).map_err(|error| {
                tracing::debug!(pool, "the pool cannot be asked: {}", error.sentence());
            });
            tell.send_replace(Some(answer.ok()));
        });
        *last = Some(answer.clone());
        answer
    }
}

impl<T> Default for Question<T> {
    fn default() -> Self {
        Self { last: Mutex::new(None) }
    }
}

/// Says whether an answer may still come: there is none yet, and somebody who would give it.
fn is_awaited<T>(answer: &Awaited<T>) -> bool {
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

    async fn answered(pools: &[Asked]) -> Vec<bool> {
        let answers = within(MOMENT, pools, 10).await;
        answers.iter().map(|answer| answer.figures.is_some()).collect()
    }

    #[tokio::test]
    async fn a_pool_that_hangs_holds_up_no_other_and_is_asked_once() {
        let pools = Registry::new(vec![faulty("hung", When::Never), pool("well")]);
        let pools = unasked(&pools);
        let began = Instant::now();
        for _ in 0..2 {
            // Asked a second time, the pool would answer.
            assert_eq!(answered(&pools).await, [false, true]);
        }
        assert!(began.elapsed() < 4 * MOMENT, "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn a_pool_that_failed_is_asked_again() {
        let pools = unasked(&Registry::new(vec![faulty("sick", When::Before)]));
        assert_eq!(answered(&pools).await, [false]);
        assert_eq!(answered(&pools).await, [true]);
    }
}
