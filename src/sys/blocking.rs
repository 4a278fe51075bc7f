//! The one door from async code to calls that block.

use tracing::Span;

/// Runs `work` on a thread that may block, inside the caller's span.
///
/// A panic in `work` goes on in the caller, so that it is reported for the request that caused it. The work
/// itself cannot be cancelled: when the caller is dropped it runs to its end all the same.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let span = Span::current();
    #[expect(clippy::disallowed_methods, reason = "this is the helper that keeps the span")]
    let task = tokio::task::spawn_blocking(move || span.in_scope(work));
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
