//! How long to wait before something is tried again: twice as long each time, up to a limit.

use std::time::Duration;

/// The delays between tries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delay {
    first: Duration,
    longest: Duration,
    next: Duration,
}

// === impl Delay ===

impl Delay {
    /// Returns delays of at least `first` and at most `longest`.
    pub(super) const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first }
    }

    /// Returns the next delay.
    pub(super) fn next(&mut self) -> Duration {
        let next = self.next;
        self.next = next.saturating_mul(2).min(self.longest);
        next
    }

    /// Begins anew: something has changed.
    pub(super) fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_up_to_a_limit_and_begin_anew() {
        let seconds = Duration::from_secs;
        let mut delay = Delay::new(seconds(1), seconds(5));
        let mut four = || std::array::from_fn::<_, 4, _>(|_| delay.next().as_secs());
        assert_eq!(four(), [1, 2, 4, 5]);
        assert_eq!(four(), [5, 5, 5, 5]);
        delay.reset();
        assert_eq!(delay.next(), seconds(1));
    }
}
