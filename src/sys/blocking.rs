//! The doors from async code to calls that block.

use std::cell::Cell;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tracing::{Instrument, Span};

thread_local! {
    /// Whether this thread runs a [`carried`] piece of work, and may block in the middle of it.
    static CARRIES: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` on a thread that may block, inside the caller's span.
///
/// A panic in `work` goes on in the caller, so that it is reported for the request that caused it. The work
/// itself cannot be cancelled: when the caller is dropped it runs to its end all the same.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    if CARRIES.get() {
        return work();
    }
    let span = Span::current();
    ended(spawn(move || span.in_scope(work))).await
}

/// Runs all of `work` on one thread that may block: every [`blocking`] in it runs in place.
///
/// A call that changes a volume asks the kernel twenty times and waits for nothing else, and each change of threads
/// costs more than most of the answers. What is to run side by side, or within a time limit, belongs into a task of
/// its own: in here a system call that hangs holds up everything beside it.
pub async fn carried<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let (runtime, work) = (Handle::current(), work.instrument(Span::current()));
    let carry = move || {
        let _carries = Carries::begin();
        runtime.block_on(work)
    };
    ended(spawn(carry)).await
}

/// The time in which a thread carries; over also when the work panics, since the thread is used again.
struct Carries;

impl Carries {
    fn begin() -> Self {
        CARRIES.set(true);
        Self
    }
}

impl Drop for Carries {
    fn drop(&mut self) {
        CARRIES.set(false);
    }
}

#[expect(clippy::disallowed_methods, reason = "these are the helpers that keep the span")]
fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    tokio::task::spawn_blocking(work)
}

async fn ended<T>(task: JoinHandle<T>) -> T {
    match task.await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only a runtime that is being taken down cancels a task of this kind, and it drops us next.
            Err(_cancelled) => std::future::pending().await,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::thread::ThreadId;

    use tracing::Instrument;
    use tracing_subscriber::Layer;
    use tracing_subscriber::layer::{Context, SubscriberExt};

    use super::*;

    #[tokio::test]
    async fn a_value_comes_back() {
        assert_eq!(blocking(|| 6 * 7).await, 42);
    }

    #[tokio::test]
    async fn a_panic_goes_on_in_the_caller() {
        let outcome = tokio::spawn(blocking(|| -> () { panic!("in the thread") })).await;
        let panic = outcome.unwrap_err().into_panic();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"in the thread"));
    }

    #[tokio::test]
    async fn what_is_carried_blocks_in_place_and_nothing_after_it_does() {
        let thread = || std::thread::current().id();
        let (here, inner, panicked) = carried(async move {
            let inner = blocking(thread).await;
            let task = tokio::spawn(blocking(thread)).await.unwrap();
            assert_ne!(task, inner, "a task of its own is not carried");
            (thread(), inner, tokio::spawn(carried(async { panic!("carried") })).await.is_err())
        })
        .await;
        assert_eq!(here, inner);
        assert!(panicked);
        // The thread that panicked is used again, and it is not taken for one that carries still.
        for _ in 0..8 {
            assert!(!blocking(|| CARRIES.get()).await);
        }
    }

    #[tokio::test]
    async fn the_span_is_entered_in_the_thread() {
        let entered = Entered::default();
        let subscriber = tracing_subscriber::registry().with(entered.clone());
        let _default = tracing::subscriber::set_default(subscriber);
        let work = || std::thread::current().id();
        let thread = blocking(work).instrument(tracing::info_span!("rpc")).await;
        assert!(entered.0.lock().unwrap().contains(&thread));
    }

    /// Notes the threads in which a span is entered.
    #[derive(Clone, Default)]
    struct Entered(Arc<Mutex<Vec<ThreadId>>>);

    impl<S: tracing::Subscriber> Layer<S> for Entered {
        fn on_enter(&self, _id: &tracing::span::Id, _context: Context<'_, S>) {
            self.0.lock().unwrap().push(std::thread::current().id());
        }
    }
}
