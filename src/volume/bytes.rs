//! A number of bytes: with its unit in the type, in binary units for people, as Kubernetes writes it in config.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A number of bytes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Bytes(pub u64);

/// A text that is not a number of bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a size: write a whole number with an optional unit, such as 512Mi, 10Gi or 1T"
)]
pub struct NotASize {
    text: String,
}

/// The units of Kubernetes.
pub(super) const UNITS: &[(&str, u64)] = &[
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("Pi", 1 << 50),
    ("Ei", 1 << 60),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("P", 1_000_000_000_000_000),
    ("E", 1_000_000_000_000_000_000),
];

// === impl Bytes ===

impl Bytes {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Returns so many KiB.
    pub const fn kib(number: u64) -> Self {
        Self(number << 10)
    }

    /// Returns so many MiB.
    pub const fn mib(number: u64) -> Self {
        Self(number << 20)
    }

    /// Returns so many GiB.
    pub const fn gib(number: u64) -> Self {
        Self(number << 30)
    }

    /// Returns the least multiple of `unit` that is not less, or nothing when there is none.
    pub fn round_up(self, unit: u64) -> Option<Self> {
        self.0.checked_next_multiple_of(unit).map(Self)
    }

    /// Returns the greatest multiple of `unit` that is not more.
    #[must_use]
    pub fn round_down(self, unit: u64) -> Self {
        Self(self.0 - self.0 % unit)
    }

    /// Returns the difference, or zero.
    #[must_use]
    pub fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Returns the sum; sizes near 2^64 stay there.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Returns the size as CSI has it.
    pub fn to_csi(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }
}

impl fmt::Display for Bytes {
    /// Writes the size in the greatest binary unit that keeps it exact, so that nothing is hidden by rounding;
    /// a size that is no multiple of 1 MiB is written with its bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = UNITS.iter().rev().find(|(name, unit)| {
            name.ends_with('i')
                && *unit >= 1 << 20
                && self.0 >= *unit
                && self.0.is_multiple_of(*unit)
        });
        match exact {
            Some((name, unit)) => f.pad(&format!("{} {name}B", self.0 / unit)),
            None => f.pad(&format!("{} bytes", self.0)),
        }
    }
}

impl FromStr for Bytes {
    type Err = NotASize;

    fn from_str(text: &str) -> Result<Self, NotASize> {
        let wrong = || NotASize { text: text.to_owned() };
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, suffix) = text.split_at_checked(digits).ok_or_else(wrong)?;
        let number: u64 = number.parse().ok().ok_or_else(wrong)?;
        let unit = match suffix {
            "" => 1,
            _ => UNITS.iter().find(|(name, _)| *name == suffix).ok_or_else(wrong)?.1,
        };
        number.checked_mul(unit).map(Self).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_kubernetes_writes_them() {
        for (text, expected) in [
            ("0", Some(0)),
            ("4096", Some(4096)),
            ("512Mi", Some(512 << 20)),
            ("10Gi", Some(10 << 30)),
            ("1T", Some(1_000_000_000_000)),
            ("15Ei", Some(15 << 60)),
            ("16Ei", None),
            ("", None),
            ("Gi", None),
            ("1.5Gi", None),
            ("-1", None),
            ("1 Gi", None),
            ("1gi", None),
        ] {
            assert_eq!(text.parse::<Bytes>().ok(), expected.map(Bytes), "{text}");
        }
    }

    #[test]
    fn sizes_are_written_exactly() {
        for (bytes, expected) in [
            (0, "0 bytes"),
            (4096, "4096 bytes"),
            (1 << 20, "1 MiB"),
            (10 << 30, "10 GiB"),
            ((10 << 30) + 1, "10737418241 bytes"),
            (1536 << 20, "1536 MiB"),
        ] {
            assert_eq!(Bytes(bytes).to_string(), expected);
        }
    }
}
