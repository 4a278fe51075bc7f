//! Asks the pools for their figures and their health without ever being held up by one.
//!
//! Figures are of the moment of the scrape. Health looks at every file of every volume: a scrape shows what the one
//! before has found out, if that is not long ago, and has it found out anew meanwhile.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::question::{Question, Reply};
use crate::backend::{LocalPool, PoolFigures, Registry};
use crate::volume::{StorageCondition, Unwell};

/// How long a scrape waits for the pools, which say within two seconds what hangs; Prometheus waits for ten.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long what was found out about the health is shown: a few of the usual intervals between two scrapes.
const HEALTH_HOLDS: Duration = Duration::from_mins(1);

/// A pool and what it was asked last.
#[derive(Debug)]
pub(super) struct Asked {
    pool: LocalPool,
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
    let asked = pools.iter().map(|pool| (pool, pool.ask_figures(most), pool.ask_health()));
    let mut answers = Vec::with_capacity(pools.len());
    for (asked, figures, health) in asked.collect::<Vec<_>>() {
        let pool = asked.pool.name.to_string();
        let (figures, health) = (figures.until(until).await, health.until(until).await);
        answers.push(Answer { pool, figures, health });
    }
    answers
}

// === impl Asked ===

impl Asked {
    /// Begins to ask for the health, which the first scrape need not wait for then.
    fn new(pool: LocalPool) -> Self {
        let health = Question::keeping(HEALTH_HOLDS);
        let asked = Self { pool, figures: Question::keeping(Duration::ZERO), health };
        drop(asked.ask_health());
        asked
    }

    fn ask_figures(&self, most: usize) -> Reply<PoolFigures> {
        let backend = Arc::clone(&self.pool.backend);
        self.figures.ask(&self.pool.name, async move { backend.figures(most).await })
    }

    fn ask_health(&self) -> Reply<PoolHealth> {
        let backend = Arc::clone(&self.pool.backend);
        self.health.ask(&self.pool.name, async move {
            let (of_pool, unwell) =
                tokio::join!(backend.storage_health(), backend.unwell(None, usize::MAX));
            Ok(PoolHealth { of_pool: of_pool?, unwell: unwell? })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::faulty::{Faulty, When};
    use crate::backend::memory::Memory;
    use crate::host::simulated::Simulated;
    use crate::volume::Bytes;

    const MOMENT: Duration = Duration::from_millis(200);

    fn pool(name: &str) -> LocalPool {
        let backend = Memory::new(name, Bytes::gib(1), Simulated::default());
        LocalPool::new(name, "n1", Arc::new(backend))
    }

    /// A pool that fails when it is asked for its figures: before that it is asked twice about its health.
    fn faulty(name: &str, when: When) -> LocalPool {
        LocalPool::new(name, "n1", Arc::new(Faulty::new(pool(name).backend, 3, when)))
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
