//! What a user says of a volume of this role: typed, and what is not known is refused with what is.

mod kinds;
mod list;
mod scalar;
#[cfg(test)]
pub(super) mod tests;

use serde::Deserialize;

use super::path::ContentPath;
use super::payload::{Content, Payload};
use crate::ephemeral::{Attributes, InlineVolume, KindName};
use crate::error::{Error, Result};

use kinds::{ConfigMapEntry, ProjectedEntry, SecretEntry};
pub(super) use scalar::{FileMode, Interval, Key, ObjectName};

/// The longest key of a label: a DNS name, a slash, a name.
const MOST_OF_MAP_KEY: usize = 317;

/// A kind of object that the API has content of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Resource {
    /// A config map.
    ConfigMap,
    /// A secret.
    Secret,
    /// The pod itself: what of it kubelet does not tell.
    Pod,
}

/// How the value of a secret is written that comes with the request: it can be text only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Encoding {
    /// As it is.
    #[default]
    Raw,
    /// In base64, and the file gets the bytes.
    Base64,
}

/// A key that is shown, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    /// The key in the object.
    pub key: Key,
    /// The file in the volume.
    pub path: ContentPath,
    /// Its mode, where it is not the volume's.
    pub mode: Option<FileMode>,
    /// How the value is written.
    pub encoding: Encoding,
}

/// What of a pod can be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PodField {
    /// The pod's name.
    Name,
    /// Its namespace.
    Namespace,
    /// Its uid.
    Uid,
    /// The name of its service account.
    ServiceAccount,
    /// The node that it runs on.
    Node,
    /// What only the API tells: labels or annotations, all or one of them, by the name in the manifest.
    OfApi(String),
}

/// A field of the pod that is shown, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PodItem {
    /// The field.
    pub field: PodField,
    /// The file in the volume.
    pub path: ContentPath,
    /// Its mode, where it is not the volume's.
    pub mode: Option<FileMode>,
}

/// One of the things that a volume shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// An object, read with the pod's own token.
    Object {
        /// Its kind.
        resource: Resource,
        /// Its name, in the pod's namespace.
        name: ObjectName,
        /// The keys; none means all.
        items: Vec<Item>,
        /// Whether it, or a key, may be missing.
        optional: bool,
    },
    /// The secret of `nodePublishSecretRef`, which comes with the request.
    Reference {
        /// The keys; none means all.
        items: Vec<Item>,
        /// Whether a key may be missing.
        optional: bool,
    },
    /// Fields of the pod.
    PodInfo {
        /// Which.
        items: Vec<PodItem>,
        /// Whether the pod is read, with its own token, for what kubelet does not tell of it.
        from_api: bool,
    },
    /// A token of the pod's service account.
    Token {
        /// For whom it is; empty for the API server.
        audience: String,
        /// The file in the volume.
        path: ContentPath,
    },
}

/// What happens to the content when an object may not be read any more, or is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum OnRevoke {
    /// It stays.
    #[default]
    Keep,
    /// It is removed.
    Remove,
}

/// What happens when two sources have the same file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum OnConflict {
    /// The volume is refused.
    #[default]
    Refuse,
    /// The later source wins, as in Kubernetes' own projected volumes.
    Last,
}

/// Everything that a user says of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// The kind.
    pub kind: KindName,
    /// What is shown; at least one.
    pub sources: Vec<Source>,
    /// The mode of a file that has none of its own.
    pub default_mode: FileMode,
    /// Whether changes are shown at all.
    pub refresh: bool,
    /// How long is waited between two looks at an object.
    pub interval: Interval,
    /// What happens when an object may not be read any more.
    pub on_revoke: OnRevoke,
    /// What happens when two sources have the same file.
    pub on_conflict: OnConflict,
    /// Directories at which other volumes are mounted.
    pub nested: Vec<ContentPath>,
    /// Whether files can be executed.
    pub exec: bool,
}

// === impl Asked ===

impl Asked {
    /// Reads what is asked of a volume.
    pub(super) fn of(volume: &InlineVolume) -> Result<Self> {
        let has_reference = volume.secrets.iter().any(|(key, _)| key != super::TOKENS);
        Self::read(volume.kind, &volume.attributes, has_reference)
    }

    fn read(kind: KindName, attributes: &Attributes, has_reference: bool) -> Result<Self> {
        let asked = match kind {
            KindName::ConfigMap => attributes.read::<ConfigMapEntry>()?.check()?,
            KindName::Secret => attributes.read::<SecretEntry>()?.check(has_reference)?,
            KindName::Projected => attributes.read::<ProjectedEntry>()?.check()?,
            KindName::EmptyDir | KindName::HostPath => {
                return Err(wrong("kind", "use one of configMap, secret, projected"));
            }
        };
        asked.check_reference(has_reference)?.check_paths()
    }

    /// Finds the conflicts that can be seen before anything is read.
    fn check_paths(self) -> Result<Self> {
        let mut payload = Payload::default();
        for (index, source) in self.sources.iter().enumerate() {
            for path in source.paths() {
                payload
                    .add(
                        index,
                        path.clone(),
                        Content::default(),
                        self.default_mode,
                        self.on_conflict,
                    )
                    .map_err(|conflict| wrong("sources", &conflict.to_string()))?;
            }
        }
        let nested = payload.check_nested(&self.nested);
        nested.map_err(|conflict| Error::invalid("volume_attributes", conflict.to_string()))?;
        Ok(self)
    }

    /// Says whether an object of the API is among the sources.
    pub(super) fn asks_api(&self) -> bool {
        let asks = |source: &Source| {
            matches!(source, Source::Object { .. } | Source::PodInfo { from_api: true, .. })
        };
        self.sources.iter().any(asks)
    }

    fn check_reference(self, has_reference: bool) -> Result<Self> {
        let refers = self.sources.iter().any(|source| matches!(source, Source::Reference { .. }));
        match (refers, has_reference) {
            (true, false) => Err(wrong(
                "source",
                "a secret by reference needs the volume's nodePublishSecretRef",
            )),
            (true, true) | (false, _) => Ok(self),
        }
    }
}

fn wrong(key: &str, reason: &str) -> Error {
    Error::invalid("volume_attributes", format!("{key}: {reason}"))
}

// === impl PodField ===

impl PodField {
    /// Those that kubelet tells.
    pub(super) const TOLD: [Self; 5] =
        [Self::Name, Self::Namespace, Self::Uid, Self::ServiceAccount, Self::Node];

    /// Those of the API, of which each entry can be had, too: `metadata.labels['app']`.
    pub(super) const MAPS: [&'static str; 2] = ["metadata.labels", "metadata.annotations"];

    /// Returns its name in the pod's manifest.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Name => "metadata.name",
            Self::Namespace => "metadata.namespace",
            Self::Uid => "metadata.uid",
            Self::ServiceAccount => "spec.serviceAccountName",
            Self::Node => "spec.nodeName",
            Self::OfApi(name) => name,
        }
    }

    fn named(text: &str, from_api: bool) -> Result<Self, String> {
        if let Some(told) = Self::TOLD.into_iter().find(|field| field.name() == text) {
            return Ok(told);
        }
        if is_of_map(text) && from_api {
            return Ok(Self::OfApi(text.to_owned()));
        }
        let known = Self::TOLD.each_ref().map(Self::name).join(", ");
        let maps = Self::MAPS.join(", ");
        Err(format!(
            "the field {text:?} of a pod is not told to a volume: use one of {known}, or with \"fromAPI\": true {maps}, or one entry of those, as in metadata.labels['app']"
        ))
    }
}

/// Says whether it is a map of the pod's metadata, or one entry of it.
fn is_of_map(text: &str) -> bool {
    let is_entry = |rest: &str| {
        let key = rest.strip_prefix("['").and_then(|rest| rest.strip_suffix("']"));
        key.is_some_and(|key| {
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'/');
            !key.is_empty() && key.len() <= MOST_OF_MAP_KEY && key.bytes().all(plain)
        })
    };
    let rest = PodField::MAPS.iter().find_map(|map| text.strip_prefix(map));
    rest.is_some_and(|rest| rest.is_empty() || is_entry(rest))
}

// === impl Source ===

impl Source {
    /// Returns the files that it is known to have before it is read.
    pub(super) fn paths(&self) -> Vec<&ContentPath> {
        match self {
            Self::Object { items, .. } | Self::Reference { items, .. } => {
                items.iter().map(|item| &item.path).collect()
            }
            Self::PodInfo { items, .. } => items.iter().map(|item| &item.path).collect(),
            Self::Token { path, .. } => vec![path],
        }
    }
}

// === impl Resource ===

impl Resource {
    /// Returns the name that the API's paths have.
    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::ConfigMap => "configmaps",
            Self::Secret => "secrets",
            Self::Pod => "pods",
        }
    }

    /// Returns the name that Kubernetes' messages have.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::ConfigMap => "configmap",
            Self::Secret => "secret",
            Self::Pod => "pod",
        }
    }

    /// Returns how Kubernetes calls a key of it.
    pub(super) fn of_key(self) -> &'static str {
        match self {
            Self::ConfigMap => "configmap references non-existent config key",
            Self::Secret => "references non-existent secret key",
            Self::Pod => "references non-existent field of the pod",
        }
    }
}
