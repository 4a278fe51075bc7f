//! How long ago, as briefly as kubectl writes it.

use std::fmt;

/// An age in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Age(pub(super) u64);

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

impl fmt::Display for Age {
    /// Two units while the second one still matters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            seconds if seconds < 2 * MINUTE => write!(f, "{seconds}s"),
            seconds if seconds < 10 * MINUTE => {
                write!(f, "{}m{}s", seconds / MINUTE, seconds % MINUTE)
            }
            seconds if seconds < 3 * HOUR => write!(f, "{}m", seconds / MINUTE),
            seconds if seconds < 8 * HOUR => {
                write!(f, "{}h{}m", seconds / HOUR, seconds % HOUR / MINUTE)
            }
            seconds if seconds < 2 * DAY => write!(f, "{}h", seconds / HOUR),
            seconds => write!(f, "{}d", seconds / DAY),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_brief() {
        for (seconds, expected) in [
            (0, "0s"),
            (119, "119s"),
            (130, "2m10s"),
            (3_600, "60m"),
            (4 * HOUR + 60, "4h1m"),
            (DAY, "24h"),
            (9 * DAY, "9d"),
        ] {
            assert_eq!(Age(seconds).to_string(), expected);
        }
    }
}
