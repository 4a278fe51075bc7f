//! A number of bytes for a glance: three digits and a unit.

use std::fmt;

use crate::volume::Bytes;

/// A number of bytes, rounded for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rough(pub(super) Bytes);

const UNITS: [&str; 6] = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];

/// The tenths of a unit that make one of the next.
const NEXT: u64 = 10_000;

impl fmt::Display for Rough {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(Bytes(mut whole)) = *self;
        let (mut tenths, mut units) = (0, UNITS.iter());
        let mut unit = units.next();
        while whole * 10 + tenths >= NEXT {
            let Some(next) = units.next() else { break };
            let all = whole * 10 / 1024;
            (whole, tenths, unit) = (all / 10, all % 10, Some(next));
        }
        let unit = unit.unwrap_or(&"");
        if whole >= 100 || tenths == 0 {
            write!(f, "{whole} {unit}")
        } else {
            write!(f, "{whole}.{tenths} {unit}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_down_to_what_a_glance_takes_in() {
        for (bytes, expected) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1000, "0.9 KiB"),
            (1024, "1 KiB"),
            (1536, "1.5 KiB"),
            (300 << 20, "300 MiB"),
            ((10 << 30) + 1, "10 GiB"),
            (10 * (1 << 30) - 1, "9.9 GiB"),
            (4 << 40, "4 TiB"),
            (u64::MAX >> 4, "1023 PiB"),
        ] {
            assert_eq!(Rough(Bytes(bytes)).to_string(), expected, "{bytes}");
        }
    }
}
