//! Numbers of the file that say a share of something: a percentage, and the ratio of a thin pool.

use std::str::FromStr;

use serde::de::{Deserialize, Deserializer};

use super::text::parsed;
use crate::backend::image::{Percent, Ratio};

/// A whole percentage from `0%` to `100%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share(pub(super) Percent);

/// How many times its size a thin pool may promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times(pub(super) Ratio);

/// The greatest ratio: beyond it a promise means nothing.
const MOST_TIMES: u32 = 1_000;

// === impl Share ===

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_suffix('%').filter(|number| is_digits(number));
        let number = number.and_then(|number| number.parse().ok()).filter(|number| *number <= 100);
        number.map(|number| Self(Percent(number))).ok_or_else(|| {
            format!(
                "{text:?} is not a percentage: write a whole number from 0% to 100%, such as 5%"
            )
        })
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        parsed(from)
    }
}

// === impl Times ===

impl FromStr for Times {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number =
            hundredths(text).filter(|hundredths| (100..=MOST_TIMES * 100).contains(hundredths));
        number.map(|hundredths| Self(Ratio::hundredths(hundredths))).ok_or_else(|| {
            format!(
                "{text:?} is not a ratio: write a number from 1 to {MOST_TIMES}, such as 2 or 1.5"
            )
        })
    }
}

impl<'de> Deserialize<'de> for Times {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        parsed(from)
    }
}

/// Reads a number with at most two decimals as hundredths.
fn hundredths(text: &str) -> Option<u32> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    if !is_digits(whole) || !is_digits(decimals) || decimals.len() > 2 {
        return None;
    }
    let part: u32 = format!("{decimals:0<2}").parse().ok()?;
    whole.parse::<u32>().ok()?.checked_mul(100)?.checked_add(part)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_have_their_bounds() {
        for (text, expected) in [
            ("5%", Some(5)),
            ("0%", Some(0)),
            ("100%", Some(100)),
            ("101%", None),
            ("5", None),
            ("%", None),
            ("-1%", None),
            ("+1%", None),
            ("2.5%", None),
            ("5 %", None),
        ] {
            assert_eq!(
                text.parse::<Share>().ok(),
                expected.map(|number| Share(Percent(number))),
                "{text}"
            );
        }
    }

    #[test]
    fn ratios_have_their_bounds() {
        for (text, expected) in [
            ("1", Some(100)),
            ("1.5", Some(150)),
            ("1.05", Some(105)),
            ("1000", Some(100_000)),
            ("0.99", None),
            ("1000.01", None),
            ("1.234", None),
            ("1.", None),
            (".5", None),
            ("x", None),
        ] {
            let expected = expected.map(|number| Times(Ratio::hundredths(number)));
            assert_eq!(text.parse::<Times>().ok(), expected, "{text}");
        }
    }
}
