//! The scalars of the file that have a form of their own: read as text, then parsed by their type.

use std::fmt::Display;
use std::path::{Component, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error};

/// A path that means the same whatever the working directory is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AbsolutePath(pub(super) PathBuf);

/// A length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Period(pub(super) Duration);

/// Reads a value through its text.
pub(super) fn parsed<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: Display,
{
    String::deserialize(from)?.parse().map_err(D::Error::custom)
}

/// Reads the value of an optional key through its text; a key without a value says nothing.
pub(super) fn parsed_if_there<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: Display,
{
    let text = Option::<String>::deserialize(from)?;
    text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
}

// === impl AbsolutePath ===

impl FromStr for AbsolutePath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let path = PathBuf::from(text);
        if !path.is_absolute() {
            return Err(format!("{text:?} is not an absolute path"));
        }
        if text.contains('\0') || path.components().any(|part| part == Component::ParentDir) {
            return Err(format!("{text:?}: write the path without `..`"));
        }
        // Without `.` and doubled or trailing slashes, as the kernel's mount table will have it.
        Ok(Self(path.components().collect()))
    }
}

impl<'de> Deserialize<'de> for AbsolutePath {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        parsed(from)
    }
}

// === impl Period ===

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is not a duration: write a whole number with a unit, such as 500ms, 5s or 2m"
            )
        };
        let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, unit) = text.split_at_checked(digits).ok_or_else(wrong)?;
        let number: u64 = number.parse().ok().ok_or_else(wrong)?;
        let milliseconds = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(wrong()),
        };
        number
            .checked_mul(milliseconds)
            .map(|total| Self(Duration::from_millis(total)))
            .ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_number_and_a_unit() {
        for (text, expected) in [
            ("500ms", Some(500)),
            ("5s", Some(5_000)),
            ("2m", Some(120_000)),
            ("1h", Some(3_600_000)),
            ("0s", Some(0)),
            ("5", None),
            ("s", None),
            ("", None),
            ("-5s", None),
            ("1.5s", None),
            ("5 s", None),
            ("5d", None),
            ("99999999999999999999s", None),
        ] {
            let found = text.parse::<Period>().ok().map(|period| period.0.as_millis());
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn paths_are_absolute_and_plain() {
        for (text, expected) in [
            ("/srv/x", Some("/srv/x")),
            ("/srv//x/./", Some("/srv/x")),
            ("/", Some("/")),
            ("srv/x", None),
            ("", None),
            ("/srv/../x", None),
        ] {
            assert_eq!(
                text.parse::<AbsolutePath>().ok().map(|path| path.0),
                expected.map(PathBuf::from)
            );
        }
    }
}
