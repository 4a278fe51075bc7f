//! The scalars of attributes: every value arrives as text.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error};

use crate::ephemeral::{Mode, Wrong};

/// The permissions of a file: `0000` to `0777`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileMode(u32);

/// The key of an entry of an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(String);

/// The name of an object: a DNS subdomain, so that it is also one piece of a path of the API.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ObjectName(String);

/// How long is waited between two looks at an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interval(pub Duration);

const SHORTEST: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_hours(24);
const MOST_OF_KEY: usize = 253;

/// Reads a value through its text.
fn text<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: Display,
{
    String::deserialize(from)?.parse().map_err(D::Error::custom)
}

// === impl FileMode ===

impl FileMode {
    /// What a file has where nothing is said.
    pub(crate) const USUAL: Self = Self(0o644);

    /// What a token has.
    pub(crate) const TOKEN: Self = Self(0o600);

    /// Returns the bits.
    pub(crate) fn bits(self) -> u32 {
        self.0
    }
}

impl FromStr for FileMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mode: Mode = text.parse().map_err(|wrong: Wrong| wrong.0)?;
        if mode.0 > 0o777 {
            return Err("must be at most \"0777\"".to_owned());
        }
        Ok(Self(mode.0))
    }
}

impl<'de> Deserialize<'de> for FileMode {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        text(from)
    }
}

// === impl Key ===

impl Key {
    /// Returns the key as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
        let good = !text.is_empty()
            && text.len() <= MOST_OF_KEY
            && text.bytes().all(plain)
            && text != "."
            && !text.starts_with("..");
        if good { Ok(Self(text.to_owned())) } else { Err("is no key of an object".to_owned()) }
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        text(from)
    }
}

// === impl ObjectName ===

impl ObjectName {
    /// Returns the name as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ObjectName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.');
        let ends = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let label = |label: &str| ends(label.bytes().next()) && ends(label.bytes().last());
        let good =
            text.len() <= MOST_OF_KEY && text.bytes().all(plain) && text.split('.').all(label);
        if good { Ok(Self(text.to_owned())) } else { Err("is no name of an object".to_owned()) }
    }
}

impl<'de> Deserialize<'de> for ObjectName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        text(from)
    }
}

// === impl Interval ===

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        text(from)
    }
}

impl Default for Interval {
    fn default() -> Self {
        Self(SHORTEST)
    }
}

impl FromStr for Interval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "must be a whole number with s, m or h, from 30s to 24h".to_owned();
        let unit = match text.bytes().last() {
            Some(b's') => 1,
            Some(b'm') => 60,
            Some(b'h') => 3600,
            _ => return Err(wrong()),
        };
        let number =
            text.get(..text.len() - 1).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
        let seconds = number.and_then(|digits| digits.parse::<u64>().ok()?.checked_mul(unit));
        let length = seconds.map(Duration::from_secs);
        length.filter(|length| (SHORTEST..=LONGEST).contains(length)).map(Self).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_085_modes_are_octal_and_say_so() {
        for (text, bits) in [
            ("0440", Some(0o440)),
            ("0o440", Some(0o440)),
            ("00", Some(0)),
            ("0777", Some(0o777)),
            ("00644", Some(0o644)),
            ("0888", None),
            ("1000", None),
            ("01000", None),
            ("420", None),
            ("-1", None),
            ("0o", None),
            ("", None),
            ("0+44", None),
            ("rw-r--r--", None),
        ] {
            assert_eq!(text.parse::<FileMode>().ok().map(FileMode::bits), bits, "{text}");
        }
    }

    #[test]
    fn intervals_have_their_bounds() {
        for (text, seconds) in [
            ("30s", Some(30)),
            ("5m", Some(300)),
            ("24h", Some(86_400)),
            ("29s", None),
            ("25h", None),
            ("60", None),
            ("s", None),
            ("-60s", None),
            ("1.5m", None),
            ("", None),
            ("9999999999999999999h", None),
        ] {
            let found = text.parse::<Interval>().ok().map(|interval| interval.0.as_secs());
            assert_eq!(found, seconds, "{text}");
        }
    }

    #[test]
    fn keys_and_names_are_those_of_the_api() {
        for (text, key, name) in [
            ("app.toml", true, true),
            ("A_b-c", true, false),
            (".dot", true, false),
            ("..two", false, false),
            (".", false, false),
            ("a/b", false, false),
            ("a?b", false, false),
            ("", false, false),
            ("-a", true, false),
            ("a..b", true, false),
        ] {
            assert_eq!(text.parse::<Key>().is_ok(), key, "{text}");
            assert_eq!(text.parse::<ObjectName>().is_ok(), name, "{text}");
        }
        assert!("k".repeat(254).parse::<Key>().is_err());
        assert!("k".repeat(253).parse::<Key>().is_ok());
    }
}
