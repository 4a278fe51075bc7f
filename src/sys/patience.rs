//! Waits out what holds a thing for a moment only.
//!
//! A program that is just being started, for whatever volume, has a copy of every descriptor of this process until
//! it has become that program: of each lock, and of each mount that is just being made. What is held in that way is
//! not in use; only what stays held is.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::failure::Result;

const BETWEEN_TRIES: Duration = Duration::from_millis(1);

/// Attempts something until it succeeds, but not for longer than `limit`: then returns nothing, as the last attempt
/// did.
pub fn within<T>(
    limit: Duration,
    mut attempt: impl FnMut() -> Result<Option<T>>,
) -> Result<Option<T>> {
    let begin = Instant::now();
    loop {
        match attempt()? {
            None if begin.elapsed() < limit => sleep(BETWEEN_TRIES),
            answer => return Ok(answer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_is_made_again_until_it_succeeds_or_the_time_is_over() {
        let mut left = 3;
        let attempt = || {
            left -= 1;
            Ok((left == 0).then_some("free"))
        };
        assert_eq!(within(Duration::from_mins(1), attempt).unwrap(), Some("free"));
        assert_eq!(within(Duration::ZERO, || Ok(None::<()>)).unwrap(), None);
    }
}
