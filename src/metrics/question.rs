//! A question that is asked once at a time, and whose last answer can be kept for a while.
//!
//! A disk that hangs keeps the thread that asked it. As long as there is no answer, whoever asks the same waits for
//! that one, and no second thread is lost.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::error::Result;

/// A question.
#[derive(Debug)]
pub(super) struct Question<T> {
    /// How long an answer is good enough for those who ask again.
    holds: Duration,
    state: Arc<Mutex<State<T>>>,
}

/// What came of asking.
#[derive(Debug)]
pub(super) enum Reply<T> {
    /// What was answered a while ago.
    Known(Arc<T>),
    /// What is still to come.
    Awaited(Awaited<T>),
}

/// Where an answer will be.
type Awaited<T> = watch::Receiver<Stage<T>>;

/// How far an answer has come.
#[derive(Debug)]
pub(super) enum Stage<T> {
    /// It may still come.
    Open,
    /// There is none: the pool cannot be asked.
    Failed,
    /// It is there.
    Answered(Arc<T>),
}

#[derive(Debug)]
struct State<T> {
    awaited: Option<Awaited<T>>,
    known: Option<(Instant, Arc<T>)>,
}

// === impl Question ===

impl<T: Send + Sync + 'static> Question<T> {
    /// Returns a question whose answers are good enough for so long.
    pub(super) fn keeping(holds: Duration) -> Self {
        Self { holds, state: Arc::new(Mutex::new(State { awaited: None, known: None })) }
    }

    /// Asks, unless that was done already and is not answered yet.
    pub(super) fn ask(
        &self,
        pool: &str,
        asking: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Reply<T> {
        let mut state = lock(&self.state);
        let still = state.awaited.clone().filter(is_awaited);
        let awaited = still.unwrap_or_else(|| self.begin(pool, asking));
        state.awaited = Some(awaited.clone());
        let known = state.known.as_ref().filter(|(since, _)| since.elapsed() < self.holds);
        known.map_or(Reply::Awaited(awaited), |(_, answer)| Reply::Known(Arc::clone(answer)))
    }

    fn begin(
        &self,
        pool: &str,
        asking: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Awaited<T> {
        let (tell, answer) = watch::channel(Stage::Open);
        let (pool, state) = (pool.to_owned(), Arc::clone(&self.state));
        tokio::spawn(async move {
            let answer = asking.await.map(Arc::new).map_err(|error| {
                tracing::debug!(pool, "the pool cannot be asked: {}", error.sentence());
            });
            let answer = answer.ok();
            lock(&state).known = answer.clone().map(|answer| (Instant::now(), answer));
            tell.send_replace(answer.map_or(Stage::Failed, Stage::Answered));
        });
        answer
    }
}

// === impl Reply ===

impl<T> Reply<T> {
    /// Waits for the answer. There is none where the pool hangs or fails, or where what asked it panicked, which
    /// its log line says.
    pub(super) async fn until(self, until: Instant) -> Option<Arc<T>> {
        let mut awaited = match self {
            Self::Known(answer) => return Some(answer),
            Self::Awaited(awaited) => awaited,
        };
        match timeout_at(until, awaited.wait_for(|stage| !stage.is_open())).await {
            Ok(Ok(stage)) => stage.answer(),
            Ok(Err(_)) | Err(_) => None,
        }
    }
}

// === impl Stage ===

impl<T> Stage<T> {
    fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }

    fn answer(&self) -> Option<Arc<T>> {
        match self {
            Self::Answered(answer) => Some(Arc::clone(answer)),
            Self::Open | Self::Failed => None,
        }
    }
}

/// Says whether an answer may still come: there is none yet, and somebody who would give it.
fn is_awaited<T>(answer: &Awaited<T>) -> bool {
    answer.borrow().is_open() && answer.has_changed().is_ok()
}

/// The state is whole between any two of its operations, so a panic elsewhere does not spoil it.
fn lock<T>(state: &Mutex<State<T>>) -> MutexGuard<'_, State<T>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    /// Asks a counter, and returns what is answered at last.
    async fn ask(question: &Question<u32>, counter: &Arc<AtomicU32>) -> Option<u32> {
        let counter = Arc::clone(counter);
        let asking = async move { Ok(counter.fetch_add(1, Ordering::SeqCst) + 1) };
        question.ask("p", asking).until(soon()).await.map(|answer| *answer)
    }

    #[tokio::test]
    async fn an_answer_that_holds_is_given_at_once_and_found_out_anew() {
        let (question, counter) = (Question::keeping(Duration::from_mins(1)), Arc::default());
        assert_eq!(ask(&question, &counter).await, Some(1));
        assert_eq!(ask(&question, &counter).await, Some(1));
        // That asked again: the answer to it is what the next one is given.
        while counter.load(Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
        while lock(&question.state).known.as_ref().is_some_and(|(_, known)| **known < 2) {
            tokio::task::yield_now().await;
        }
        assert_eq!(ask(&question, &counter).await, Some(2));
    }

    #[tokio::test]
    async fn an_answer_that_does_not_hold_is_waited_for() {
        let (question, counter) = (Question::keeping(Duration::ZERO), Arc::default());
        for number in 1..4 {
            assert_eq!(ask(&question, &counter).await, Some(number));
        }
    }
}
