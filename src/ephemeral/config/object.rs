//! A config map, a secret or a pod, as far as a volume needs it.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use zeroize::Zeroizing;

use super::attributes::PodField;
use super::payload::Content;
use super::quoted::listed;

/// Which state of which object.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Version {
    /// An object that was made anew is another one.
    pub uid: String,
    /// Another one after every change.
    pub resource_version: String,
}

/// An object with its content, by key.
pub(super) struct Object {
    /// Its state.
    pub version: Version,
    /// Whether its content never changes.
    pub immutable: bool,
    /// What it has.
    pub entries: BTreeMap<String, Content>,
}

/// The part of every object that is asked for alone.
#[derive(Deserialize)]
struct Metadata {
    metadata: Version,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConfigMap {
    metadata: Version,
    #[serde(default)]
    immutable: Option<bool>,
    #[serde(default)]
    data: Option<BTreeMap<String, Text>>,
    #[serde(default)]
    binary_data: Option<BTreeMap<String, Base64>>,
}

#[derive(Deserialize)]
struct Secret {
    metadata: Version,
    #[serde(default)]
    immutable: Option<bool>,
    #[serde(default)]
    data: Option<BTreeMap<String, Base64>>,
}

#[derive(Deserialize)]
struct Pod {
    metadata: PodMetadata,
}

#[derive(Deserialize)]
struct PodMetadata {
    #[serde(flatten)]
    version: Version,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

/// A value that is its own bytes.
struct Text(Content);

/// A value that is written in base64.
struct Base64(Content);

// === impl Version ===

impl Version {
    /// Reads an object's metadata.
    pub(super) fn parse(json: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice::<Metadata>(json).map(|object| object.metadata)
    }
}

// === impl Object ===

impl Object {
    /// Reads a config map.
    pub(super) fn of_config_map(json: &[u8]) -> serde_json::Result<Self> {
        let object: ConfigMap = serde_json::from_slice(json)?;
        let text = object.data.into_iter().flatten().map(|(key, value)| (key, value.0));
        let binary = object.binary_data.into_iter().flatten().map(|(key, value)| (key, value.0));
        Ok(Self {
            version: object.metadata,
            immutable: object.immutable == Some(true),
            // A key is in one of the two alone.
            entries: text.chain(binary).collect(),
        })
    }

    /// Reads a secret.
    pub(super) fn of_secret(json: &[u8]) -> serde_json::Result<Self> {
        let object: Secret = serde_json::from_slice(json)?;
        let entries = object.data.into_iter().flatten().map(|(key, value)| (key, value.0));
        Ok(Self {
            version: object.metadata,
            immutable: object.immutable == Some(true),
            entries: entries.collect(),
        })
    }

    /// Reads a pod: its labels and annotations, all together and each of them, by the names of fields.
    pub(super) fn of_pod(json: &[u8]) -> serde_json::Result<Self> {
        let PodMetadata { version, labels, annotations } =
            serde_json::from_slice::<Pod>(json)?.metadata;
        let mut entries = BTreeMap::new();
        for (field, map) in PodField::MAPS.into_iter().zip([labels, annotations]) {
            let map = map.unwrap_or_default();
            entries.insert(field.to_owned(), Content::new(listed(&map).into_bytes()));
            let one = |(key, value): (String, String)| {
                (format!("{field}['{key}']"), Content::new(value.into_bytes()))
            };
            entries.extend(map.into_iter().map(one));
        }
        Ok(Self { version, immutable: false, entries })
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} [{} entries, redacted]", self.version, self.entries.len())
    }
}

/// Returns the bytes that a text in base64 means.
pub(super) fn decoded(text: &str) -> Option<Content> {
    STANDARD.decode(text).map(Zeroizing::new).ok()
}

// === values ===

struct Reading<T>(fn(&str) -> Option<T>);

impl<T> Visitor<'_> for Reading<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.0)(text).ok_or_else(|| E::custom("a value is no base64"))
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(Reading(|text| Some(Self(Zeroizing::new(text.as_bytes().to_vec())))))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(Reading(|text| decoded(text).map(Self)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_map_has_text_and_bytes() {
        let json = br#"{"kind":"ConfigMap","metadata":{"name":"a","uid":"u","resourceVersion":"7","managedFields":[]},
            "immutable":true,"data":{"a":"x\ny"},"binaryData":{"b":"AP8="}}"#;
        let object = Object::of_config_map(json).unwrap();
        assert_eq!(object.version, Version::parse(json).unwrap());
        assert!(object.immutable);
        let entries: Vec<_> =
            object.entries.iter().map(|(key, value)| (&**key, &***value)).collect();
        assert_eq!(entries, [("a", &b"x\ny"[..]), ("b", &[0, 255])]);
    }

    #[test]
    fn a_pod_has_its_labels_and_annotations_by_the_names_of_fields() {
        let json = br#"{"metadata":{"name":"p","uid":"u","resourceVersion":"7","labels":{"b":"2","app":"web"}},
            "spec":{"containers":[]}}"#;
        let object = Object::of_pod(json).unwrap();
        assert_eq!(object.version, Version::parse(json).unwrap());
        let entries: Vec<_> = object
            .entries
            .iter()
            .map(|(key, value)| (&**key, std::str::from_utf8(value).unwrap()))
            .collect();
        let expected = [
            ("metadata.annotations", ""),
            ("metadata.labels", "app=\"web\"\nb=\"2\""),
            ("metadata.labels['app']", "web"),
            ("metadata.labels['b']", "2"),
        ];
        assert_eq!(entries, expected);
    }

    #[test]
    fn a_secret_has_bytes_and_shows_none() {
        let json = br#"{"metadata":{"uid":"u","resourceVersion":"7"},"data":{"a":"Y2FuYXJ5"}}"#;
        let object = Object::of_secret(json).unwrap();
        assert_eq!(**object.entries.get("a").unwrap(), *b"canary");
        assert!(!format!("{object:?}").contains("canary"));
        let none = br#"{"metadata":{"uid":"u","resourceVersion":"7"},"data":null}"#;
        assert!(Object::of_secret(none).unwrap().entries.is_empty());
        let bad = br#"{"metadata":{"uid":"u","resourceVersion":"7"},"data":{"a":"canary!"}}"#;
        assert!(!Object::of_secret(bad).unwrap_err().to_string().contains("canary"));
    }
}
