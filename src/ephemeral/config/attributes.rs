//! What a user says of a volume of this role: typed, and what is not known is refused with what is.

mod list;
mod scalar;
#[cfg(test)]
pub(super) mod tests;

use serde::Deserialize;

use super::path::ContentPath;
use super::payload::{Content, Payload};
use crate::ephemeral::{Attributes, Flag, InlineVolume, Json, KindName};
use crate::error::{Error, Result};

use list::{ItemEntry, SourceEntry};
pub(super) use scalar::{FileMode, Interval, Key, ObjectName};

/// A kind of object that the API has content of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Resource {
    /// A config map.
    ConfigMap,
    /// A secret.
    Secret,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ConfigMapEntry {
    name: ObjectName,
    items: Option<Json<Vec<ItemEntry>>>,
    default_mode: Option<FileMode>,
    optional: Option<Flag>,
    refresh: Option<Flag>,
    min_refresh_interval: Option<Interval>,
    on_revoke: Option<OnRevoke>,
    nested_dirs: Option<Json<Vec<ContentPath>>>,
    exec: Option<Flag>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SecretEntry {
    secret_name: Option<ObjectName>,
    source: Option<SecretSource>,
    items: Option<Json<Vec<ItemEntry>>>,
    default_mode: Option<FileMode>,
    optional: Option<Flag>,
    refresh: Option<Flag>,
    min_refresh_interval: Option<Interval>,
    on_revoke: Option<OnRevoke>,
    nested_dirs: Option<Json<Vec<ContentPath>>>,
}

/// Where a secret comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SecretSource {
    Api,
    Ref,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ProjectedEntry {
    sources: Json<Vec<SourceEntry>>,
    default_mode: Option<FileMode>,
    refresh: Option<Flag>,
    min_refresh_interval: Option<Interval>,
    on_revoke: Option<OnRevoke>,
    on_conflict: Option<OnConflict>,
    nested_dirs: Option<Json<Vec<ContentPath>>>,
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
        self.sources.iter().any(|source| matches!(source, Source::Object { .. }))
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

fn items(list: Option<Json<Vec<ItemEntry>>>, by_reference: bool) -> Result<Vec<Item>> {
    let list = list.map(|list| list.0).unwrap_or_default();
    list::items(list, by_reference).map_err(|reason| wrong("items", &reason))
}

fn is_on(flag: Option<Flag>, otherwise: bool) -> bool {
    flag.map_or(otherwise, |flag| flag.0)
}

// === the kinds ===

impl ConfigMapEntry {
    fn check(self) -> Result<Asked> {
        let source = Source::Object {
            resource: Resource::ConfigMap,
            name: self.name,
            items: items(self.items, false)?,
            optional: is_on(self.optional, false),
        };
        Ok(Asked {
            kind: KindName::ConfigMap,
            sources: vec![source],
            default_mode: self.default_mode.unwrap_or(FileMode::USUAL),
            refresh: is_on(self.refresh, true),
            interval: self.min_refresh_interval.unwrap_or_default(),
            on_revoke: self.on_revoke.unwrap_or_default(),
            on_conflict: OnConflict::default(),
            nested: self.nested_dirs.map(|list| list.0).unwrap_or_default(),
            exec: is_on(self.exec, false),
        })
    }
}

impl SecretEntry {
    fn check(self, has_reference: bool) -> Result<Asked> {
        let usual = if has_reference { SecretSource::Ref } else { SecretSource::Api };
        let by_reference = self.source.unwrap_or(usual) == SecretSource::Ref;
        let items = items(self.items, by_reference)?;
        let optional = is_on(self.optional, false);
        let source = match (by_reference, self.secret_name) {
            (true, None) => Source::Reference { items, optional },
            (false, Some(name)) => {
                Source::Object { resource: Resource::Secret, name, items, optional }
            }
            (true, Some(_)) => {
                let reason =
                    "nodePublishSecretRef names the secret: leave this out, or say source: api";
                return Err(wrong("secretName", reason));
            }
            (false, None) => {
                return Err(wrong(
                    "secretName",
                    "say which secret, or give a nodePublishSecretRef",
                ));
            }
        };
        Ok(Asked {
            kind: KindName::Secret,
            sources: vec![source],
            default_mode: self.default_mode.unwrap_or(FileMode::USUAL),
            refresh: is_on(self.refresh, true),
            interval: self.min_refresh_interval.unwrap_or_default(),
            on_revoke: self.on_revoke.unwrap_or_default(),
            on_conflict: OnConflict::default(),
            nested: self.nested_dirs.map(|list| list.0).unwrap_or_default(),
            exec: false,
        })
    }
}

impl ProjectedEntry {
    fn check(self) -> Result<Asked> {
        let sources = list::sources(self.sources.0).map_err(|reason| wrong("sources", &reason))?;
        Ok(Asked {
            kind: KindName::Projected,
            sources,
            default_mode: self.default_mode.unwrap_or(FileMode::USUAL),
            refresh: is_on(self.refresh, true),
            interval: self.min_refresh_interval.unwrap_or_default(),
            on_revoke: self.on_revoke.unwrap_or_default(),
            on_conflict: self.on_conflict.unwrap_or_default(),
            nested: self.nested_dirs.map(|list| list.0).unwrap_or_default(),
            exec: false,
        })
    }
}

// === impl PodField ===

impl PodField {
    /// All of them.
    pub(super) const ALL: [Self; 5] =
        [Self::Name, Self::Namespace, Self::Uid, Self::ServiceAccount, Self::Node];

    /// Returns its name in the pod's manifest.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Name => "metadata.name",
            Self::Namespace => "metadata.namespace",
            Self::Uid => "metadata.uid",
            Self::ServiceAccount => "spec.serviceAccountName",
            Self::Node => "spec.nodeName",
        }
    }

    fn named(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|field| field.name() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            format!("the field {text:?} of a pod is not told to a volume: use one of {known}")
        })
    }
}

// === impl Source ===

impl Source {
    /// Returns the files that it is known to have before it is read.
    pub(super) fn paths(&self) -> Vec<&ContentPath> {
        match self {
            Self::Object { items, .. } | Self::Reference { items, .. } => {
                items.iter().map(|item| &item.path).collect()
            }
            Self::PodInfo { items } => items.iter().map(|item| &item.path).collect(),
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
        }
    }

    /// Returns the name that Kubernetes' messages have.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::ConfigMap => "configmap",
            Self::Secret => "secret",
        }
    }

    /// Returns how Kubernetes calls a key of it.
    pub(super) fn of_key(self) -> &'static str {
        match self {
            Self::ConfigMap => "configmap references non-existent config key",
            Self::Secret => "references non-existent secret key",
        }
    }
}
