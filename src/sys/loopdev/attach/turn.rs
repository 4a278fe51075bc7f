//! Turns of this process's threads at taking a free loop device: all who ask at once are told the same one.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

static TAKEN: Mutex<bool> = Mutex::new(false);
static GIVEN_BACK: Condvar = Condvar::new();

/// The right to take one, given back on drop.
#[derive(Debug)]
pub(super) struct Turn(());

// === impl Turn ===

impl Turn {
    /// Waits for a turn, or returns nothing when there was none for so long.
    pub(super) fn within(patience: Duration) -> Option<Self> {
        let waited = GIVEN_BACK.wait_timeout_while(taken(), patience, |taken| *taken);
        let (mut taken, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return None;
        }
        *taken = true;
        Some(Self(()))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *taken() = false;
        GIVEN_BACK.notify_one();
    }
}

fn taken() -> MutexGuard<'static, bool> {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_it_and_the_others_wait_as_long_as_they_like() {
        let long = Duration::from_secs(30);
        let first = Turn::within(long).unwrap();
        assert!(Turn::within(Duration::from_millis(1)).is_none());
        let second = std::thread::spawn(move || Turn::within(long).is_some());
        drop(first);
        assert!(second.join().unwrap());
        assert!(Turn::within(long).is_some());
    }
}
