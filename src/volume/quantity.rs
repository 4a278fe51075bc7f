//! A Kubernetes quantity: `500`, `1.5Gi`, `20M`, `1e6`. What users write where Kubernetes itself takes a number.
//!
//! The grammar is that of `k8s.io/apimachinery/pkg/api/resource`; no crate has it without a whole Kubernetes
//! client behind it.

use std::str::FromStr;

use super::bytes::UNITS;

/// A quantity as Kubernetes' own `Value()` gives it: a whole number, a fraction rounded up. What is rounded up
/// never becomes 0, which means something else than little.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quantity(pub(super) u64);

/// A text that is no quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no quantity from 0 to {}: write a number with an optional unit, such as 500, 20M or 1.5Gi",
    Quantity::MOST
)]
pub struct NotAQuantity {
    text: String,
}

/// What is less than one: rarely meant, but part of the grammar.
const FRACTIONS: [(&str, i32); 3] = [("m", -3), ("u", -6), ("n", -9)];

/// Reads a quantity as a number of bytes.
pub fn quantity(text: &str) -> Result<super::Bytes, NotAQuantity> {
    text.parse().map(|Quantity(bytes)| super::Bytes(bytes))
}

// === impl Quantity ===

impl Quantity {
    /// The most that a quantity can be, in Kubernetes, too.
    pub(super) const MOST: u64 = i64::MAX.unsigned_abs();
}

impl FromStr for Quantity {
    type Err = NotAQuantity;

    fn from_str(text: &str) -> Result<Self, NotAQuantity> {
        let value = value(text).filter(|value| *value <= Self::MOST);
        value.map(Self).ok_or_else(|| NotAQuantity { text: text.to_owned() })
    }
}

/// Returns the number that the text means, or nothing when it means none that is not negative and fits.
fn value(text: &str) -> Option<u64> {
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at_checked(end)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || fraction.contains('.') {
        return None;
    }
    let digits: u128 = digits.parse().ok()?;
    let (unit, power) = unit(suffix)?;
    let power = power.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    scaled(digits.checked_mul(unit.into())?, power)
}

/// Returns what a suffix multiplies with: a number, and a power of ten.
fn unit(suffix: &str) -> Option<(u64, i32)> {
    if suffix.is_empty() {
        return Some((1, 0));
    }
    if let Some((_, unit)) = UNITS.iter().find(|(name, _)| *name == suffix) {
        return Some((*unit, 0));
    }
    if let Some((_, power)) = FRACTIONS.iter().find(|(name, _)| *name == suffix) {
        return Some((1, *power));
    }
    let exponent = suffix.strip_prefix(['e', 'E'])?;
    Some((1, exponent.parse().ok()?))
}

/// Returns `number` × 10^`power`, rounded up.
fn scaled(number: u128, power: i32) -> Option<u64> {
    if number == 0 {
        return Some(0);
    }
    let factor = 10_u128.checked_pow(power.unsigned_abs());
    let scaled = match (power >= 0, factor) {
        (true, factor) => number.checked_mul(factor?)?,
        (false, Some(factor)) => number.div_ceil(factor),
        // Less than any number that can be written down.
        (false, None) => 1,
    };
    scaled.try_into().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantities_are_read_as_kubernetes_reads_them() {
        for (text, expected) in [
            ("0", Some(0)),
            ("500", Some(500)),
            ("+500", Some(500)),
            ("007", Some(7)),
            ("20M", Some(20_000_000)),
            ("20Mi", Some(20 << 20)),
            ("1.5Gi", Some(3 << 29)),
            (".5k", Some(500)),
            ("1.", Some(1)),
            ("1e3", Some(1000)),
            ("1E3", Some(1000)),
            ("12.34e2", Some(1234)),
            ("5e-1", Some(1)),
            ("100m", Some(1)),
            ("1500m", Some(2)),
            ("2000000u", Some(2)),
            ("1n", Some(1)),
            ("0m", Some(0)),
            ("0.0", Some(0)),
            ("1E", Some(1_000_000_000_000_000_000)),
            ("7Ei", Some(7 << 60)),
            ("1e-999", Some(1)),
            ("9223372036854775807", Some(Quantity::MOST)),
            ("9223372036854775808", None),
            ("8Ei", None),
            ("1e19", None),
            ("1e999999999999", None),
            ("", None),
            (".", None),
            ("+", None),
            ("-1", None),
            ("1.2.3", None),
            ("Gi", None),
            ("1gi", None),
            ("1K", None),
            ("1 k", None),
            ("1e", None),
            ("1e1.5", None),
            ("1kk", None),
            ("½", None),
            ("NaN", None),
        ] {
            assert_eq!(text.parse().ok(), expected.map(Quantity), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic(text in "[-+.0-9eEkKmMgGiunTP ]{0,40}") {
            drop(text.parse::<Quantity>());
        }

        #[test]
        fn whole_numbers_are_themselves(number in 0..=Quantity::MOST) {
            prop_assert_eq!(number.to_string().parse(), Ok(Quantity(number)));
        }
    }
}
