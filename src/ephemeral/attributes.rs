//! The attributes of an inline volume: what the user wrote, read into a type of the kind's own.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::value::{MapDeserializer, StrDeserializer};
use serde::de::{self, Deserialize, DeserializeOwned, Deserializer, IntoDeserializer};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// The attributes that the kind has to understand.
///
/// They are not secret, but a user who does not know that may put one there: only their names are ever shown.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Attributes(BTreeMap<String, String>);

/// A switch: exactly `true` or `false`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flag(pub bool);

/// The mode of a file, octal: `0440` or `0o440`. A bare `420` could mean either, and is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode(pub u32);

/// A value that is JSON in itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Json<T>(pub T);

/// Why a value is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong(pub String);

// === impl Attributes ===

impl Attributes {
    /// Reads them into the type that says which there are: a struct with `rename_all = "camelCase"` and
    /// `deny_unknown_fields`, whose fields read themselves from a text ([`Flag`], [`Mode`], [`Json`], a `String`, or
    /// any type with `deserialize_with = "…"`).
    pub fn read<T: DeserializeOwned>(&self) -> Result<T> {
        let entries = self.iter().map(|(key, value)| (key, Value(value)));
        let entries: MapDeserializer<'_, _, de::value::Error> = MapDeserializer::new(entries);
        serde_path_to_error::deserialize(entries).map_err(|error| {
            let key = error.path().to_string();
            let reason = error.into_inner().to_string();
            Error::invalid(
                "volume_attributes",
                match key.as_str() {
                    "." | "?" => reason,
                    // serde says itself which key it does not know.
                    _ if reason.starts_with("unknown field") => reason,
                    key => format!("{key}: {reason}"),
                },
            )
        })
    }

    /// Returns the value of one of them.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Returns all of them, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Returns how many bytes they have.
    pub fn len(&self) -> usize {
        self.0.iter().map(|(key, value)| key.len() + value.len()).sum()
    }

    /// Says whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns a digest that is another one for other attributes.
    pub fn digest(&self) -> String {
        let mut all = Sha256::new();
        for text in self.0.iter().flat_map(|(key, value)| [key, value]) {
            all.update(text.len().to_le_bytes());
            all.update(text);
        }
        all.finalize().iter().fold(String::new(), |mut text, byte| {
            // A String takes whatever is written to it.
            write!(text, "{byte:02x}").ok();
            text
        })
    }
}

impl FromIterator<(String, String)> for Attributes {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(all: I) -> Self {
        Self(all.into_iter().collect())
    }
}

impl std::fmt::Debug for Attributes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

// === values ===

impl FromStr for Flag {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        match text {
            "true" => Ok(Self(true)),
            "false" => Ok(Self(false)),
            _ => Err(Wrong("must be \"true\" or \"false\"".to_owned())),
        }
    }
}

impl FromStr for Mode {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let wrong =
            || Wrong("must be an octal mode that begins with 0, such as \"0440\"".to_owned());
        let digits =
            text.strip_prefix("0o").or_else(|| text.strip_prefix('0')).ok_or_else(wrong)?;
        let is_octal = !digits.is_empty() && digits.bytes().all(|one| (b'0'..=b'7').contains(&one));
        let mode = u32::from_str_radix(digits, 8).ok().filter(|mode| *mode <= 0o7777);
        mode.filter(|_| is_octal).map(Self).ok_or_else(wrong)
    }
}

impl Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        parsed(from)
    }
}

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        parsed(from)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Json<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let mut json = serde_json::Deserializer::from_str(&text);
        let value = serde_path_to_error::deserialize(&mut json).map_err(de::Error::custom)?;
        json.end().map_err(de::Error::custom)?;
        Ok(Self(value))
    }
}

/// A value as serde meets it: a text, which an optional field has, too.
struct Value<'a>(&'a str);

impl<'a, E: de::Error> IntoDeserializer<'a, E> for Value<'a> {
    type Deserializer = Present<'a, E>;

    fn into_deserializer(self) -> Self::Deserializer {
        Present(self.0.into_deserializer())
    }
}

struct Present<'a, E>(StrDeserializer<'a, E>);

impl<'de, E: de::Error> Deserializer<'de> for Present<'de, E> {
    type Error = E;

    fn deserialize_any<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        self.0.deserialize_any(visitor)
    }

    fn deserialize_option<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: de::Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, E> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// Reads a value through its text.
fn parsed<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: Display,
{
    from.deserialize_str(Text(PhantomData))
}

struct Text<T>(PhantomData<T>);

impl<T> de::Visitor<'_> for Text<T>
where
    T: FromStr,
    T::Err: Display,
{
    type Value = T;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Eq, serde::Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Some {
        default_mode: Option<Mode>,
        optional: Option<Flag>,
        name: Option<String>,
        items: Option<Json<Vec<Item>>>,
    }

    #[derive(Debug, PartialEq, Eq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Item {
        key: String,
    }

    fn read(entries: &[(&str, &str)]) -> Result<Some> {
        let owned = entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        owned.collect::<Attributes>().read()
    }

    #[test]
    fn what_is_known_is_read() {
        let all = [
            ("defaultMode", "0o440"),
            ("optional", "true"),
            ("name", "app"),
            ("items", r#"[{"key":"a"}]"#),
        ];
        let read = read(&all).unwrap();
        assert_eq!(read.default_mode, Option::Some(Mode(0o440)));
        assert_eq!(read.optional, Option::Some(Flag(true)));
        assert_eq!(read.items.unwrap().0, [Item { key: "a".to_owned() }]);
    }

    #[test]
    fn what_is_wrong_is_named_and_its_value_is_not_shown() {
        for (key, value, expected) in [
            (
                "sizelimit",
                "1Gi",
                "unknown field `sizelimit`, expected one of `defaultMode`, `optional`, `name`, `items`",
            ),
            ("defaultMode", "420", "defaultMode: must be an octal mode that begins with 0"),
            ("defaultMode", "0888", "defaultMode: must be"),
            ("defaultMode", "0", "defaultMode: must be"),
            ("defaultMode", "-1", "defaultMode: must be"),
            ("optional", "True", "optional: must be \"true\" or \"false\""),
            ("items", "[{\"key\":\"a\"}] x", "items: trailing characters"),
            ("items", "[{\"kez\":\"a\"}]", "items: [0].kez: unknown field `kez`, expected `key`"),
        ] {
            let why = read(&[(key, value)]).unwrap_err().to_string();
            assert!(why.starts_with("volume_attributes: ") && why.contains(expected), "{why}");
        }
    }

    #[test]
    fn a_digest_is_of_keys_and_values_and_where_one_ends() {
        let of = |entries: &[(&str, &str)]| {
            let owned = entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            owned.collect::<Attributes>().digest()
        };
        let all = [of(&[("ab", "c")]), of(&[("a", "bc")]), of(&[]), of(&[("a", "b"), ("c", "")])];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert_eq!(of(&[("a", "1"), ("b", "2")]), of(&[("b", "2"), ("a", "1")]));
    }
}
