//! An instant with nanoseconds, kept in records so that every answer about a thing gives the same one.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

// === impl Timestamp ===

impl Timestamp {
    /// Returns the present; a clock before 1970 or after 2554 is held at its bound.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }

    /// Returns the instant that is so many nanoseconds after the beginning of 1970.
    pub fn of_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Returns the nanoseconds since the beginning of 1970.
    pub fn nanos(self) -> u64 {
        self.0
    }

    /// Returns the time that has passed since, zero when the clock was set back.
    pub fn age(self) -> Duration {
        Duration::from_nanos(Self::now().0.saturating_sub(self.0))
    }

    /// Returns the instant as CSI has it.
    pub fn to_csi(self) -> prost_types::Timestamp {
        let since = Duration::from_nanos(self.0);
        prost_types::Timestamp {
            seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            nanos: i32::try_from(since.subsec_nanos()).unwrap_or(0),
        }
    }
}
