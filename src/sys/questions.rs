//! Questions to things that may never answer: a file system that hangs, a disk that is gone.
//!
//! Nobody can take a question back from the kernel, so a thing that does not answer keeps the thread that asks
//! it. Each thing is therefore asked once at a time, and is remembered as being asked until that question
//! returns: whoever asks meanwhile is told so, and costs no thread. How many can hang at once is bounded.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};
use tokio::time::timeout_at;
use tracing::{Instrument, Span};

/// Questions about things that `About` tells apart. Clones are the same.
#[derive(Debug)]
pub struct Questions<About> {
    shared: Arc<Shared<About>>,
}

/// No answer in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Silence {
    /// The thing has been asked for so long.
    #[error("it has not answered for {} s", .0.as_secs_f64().ceil())]
    Hangs(Duration),
    /// So many other things hang that this one was not even asked.
    #[error("it was not asked, because {0} others do not answer")]
    Crowd(usize),
}

#[derive(Debug)]
struct Shared<About> {
    most: usize,
    /// Since when each is being asked.
    asked: Mutex<HashMap<About, Instant>>,
    answered: Notify,
}

/// The right to ask one thing, given back when the question has returned.
struct Turn<About: Hash + Eq> {
    about: About,
    shared: Arc<Shared<About>>,
}

/// Runs `work` on a thread of its own, so that one that hangs takes none from those that everybody shares.
pub async fn on_its_own<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (answer, waiting) = oneshot::channel();
    let span = Span::current();
    let thread = thread::Builder::new().name("asking".to_owned());
    let started = thread.spawn(move || {
        // Whoever asked may have given up.
        drop(answer.send(span.in_scope(work)));
    });
    match (started, waiting.await) {
        (Ok(_), Ok(answer)) => answer,
        (Ok(thread), Err(_)) => match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => std::future::pending().await,
        },
        // Without threads nothing answers: that is what the caller's deadline says.
        (Err(error), _) => {
            tracing::error!(%error, "no thread could be started");
            std::future::pending().await
        }
    }
}

// === impl Questions ===

impl<About: Hash + Eq + Clone + Send + 'static> Questions<About> {
    /// Returns a place to ask from, where at most so many things are asked at once.
    pub fn new(most: usize) -> Self {
        let shared = Shared { most, asked: Mutex::default(), answered: Notify::new() };
        Self { shared: Arc::new(shared) }
    }

    /// Returns the answer, or that there was none until the deadline. The question goes on without its asker.
    pub async fn ask<T: Send + 'static>(
        &self,
        about: About,
        deadline: Instant,
        question: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Silence> {
        let turn = self.turn(&about, deadline).await?;
        let asking = async move {
            let answer = question.await;
            drop(turn);
            answer
        };
        let task = tokio::spawn(asking.in_current_span());
        match timeout_at(deadline.into(), task).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // Only a runtime that is being taken down cancels it, and it drops us next.
                Err(_cancelled) => std::future::pending().await,
            },
            Err(_elapsed) => Err(self.shared.silence(&about)),
        }
    }

    /// Waits until nobody else asks the same thing, unless that has been going on for too long already.
    async fn turn(&self, about: &About, deadline: Instant) -> Result<Turn<About>, Silence> {
        let patience = deadline.saturating_duration_since(Instant::now());
        loop {
            let answered = self.shared.answered.notified();
            if let Some(turn) = self.shared.take(about) {
                return Ok(turn);
            }
            let silence = self.shared.silence(about);
            if matches!(silence, Silence::Hangs(since) if since >= patience) {
                return Err(silence);
            }
            if timeout_at(deadline.into(), answered).await.is_err() {
                return Err(self.shared.silence(about));
            }
        }
    }
}

impl<About> Clone for Questions<About> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

// === impl Shared ===

impl<About: Hash + Eq + Clone> Shared<About> {
    fn take(self: &Arc<Self>, about: &About) -> Option<Turn<About>> {
        let mut asked = self.lock();
        if asked.contains_key(about) || asked.len() >= self.most {
            return None;
        }
        asked.insert(about.clone(), Instant::now());
        Some(Turn { about: about.clone(), shared: Arc::clone(self) })
    }
}

impl<About: Hash + Eq> Shared<About> {
    fn silence(&self, about: &About) -> Silence {
        let asked = self.lock();
        match asked.get(about) {
            Some(since) => Silence::Hangs(since.elapsed()),
            None => Silence::Crowd(asked.len()),
        }
    }

    /// The map is whole between any two of its operations, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, HashMap<About, Instant>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Turn ===

impl<About: Hash + Eq> Drop for Turn<About> {
    fn drop(&mut self) {
        self.shared.lock().remove(&self.about);
        self.shared.answered.notify_waiters();
    }
}

impl<About: Hash + Eq + fmt::Debug> fmt::Debug for Turn<About> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Turn").field(&self.about).finish()
    }
}

#[cfg(test)]
mod tests;
