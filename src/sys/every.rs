//! The same work for several volumes at the same time.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use tracing::Span;

/// What is done for several volumes is waiting for the kernel: more threads than this would wait for each other.
const MOST_THREADS: usize = 64;

/// Does the work for each item, at the same time as for the others, and returns the outcomes in the items' order.
///
/// It is done for every item, whatever comes of the others.
pub fn every<I: Send, T: Send>(items: Vec<I>, work: impl Fn(I) -> T + Sync) -> Vec<T> {
    let count = items.len();
    let queue = Mutex::new(items.into_iter().enumerate());
    let done = Mutex::new(Vec::with_capacity(count));
    let next = || lock(&queue).next();
    let worker = || {
        while let Some((index, item)) = next() {
            let outcome = work(item);
            lock(&done).push((index, outcome));
        }
    };
    let span = Span::current();
    thread::scope(|scope| {
        for _ in 1..count.min(MOST_THREADS) {
            // With fewer threads than that it takes longer, and is as right.
            if thread::Builder::new().spawn_scoped(scope, || span.in_scope(worker)).is_err() {
                break;
            }
        }
        worker();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}

/// Both are whole between any two of their operations; a panic of the work ends all of it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn all_is_done_at_once_and_told_in_order() {
        // Nobody passes the barrier alone.
        let barrier = Barrier::new(8);
        let outcomes = every((0..8).collect(), |number: u64| {
            barrier.wait();
            std::thread::sleep(std::time::Duration::from_millis(8 - number));
            number * 2
        });
        assert_eq!(outcomes, [0, 2, 4, 6, 8, 10, 12, 14]);
        assert!(every(Vec::<u8>::new(), |number| number).is_empty());
        assert_eq!(every((0..1000).collect(), |number: usize| number).len(), 1000);
    }
}
