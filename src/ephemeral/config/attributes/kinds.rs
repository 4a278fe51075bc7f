//! The attributes of each kind, as they are written.

use serde::Deserialize;

use super::list::{self, ItemEntry, SourceEntry};
use super::{
    Asked, FileMode, Interval, Item, ObjectName, OnConflict, OnRevoke, Resource, Source, wrong,
};
use crate::ephemeral::config::path::ContentPath;
use crate::ephemeral::{Flag, Json, KindName};
use crate::error::Result;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ConfigMapEntry {
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
pub(super) struct SecretEntry {
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
pub(super) struct ProjectedEntry {
    sources: Json<Vec<SourceEntry>>,
    default_mode: Option<FileMode>,
    refresh: Option<Flag>,
    min_refresh_interval: Option<Interval>,
    on_revoke: Option<OnRevoke>,
    on_conflict: Option<OnConflict>,
    nested_dirs: Option<Json<Vec<ContentPath>>>,
}

// === the kinds ===

impl ConfigMapEntry {
    pub(super) fn check(self) -> Result<Asked> {
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
    pub(super) fn check(self, has_reference: bool) -> Result<Asked> {
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
    pub(super) fn check(self) -> Result<Asked> {
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

fn items(list: Option<Json<Vec<ItemEntry>>>, by_reference: bool) -> Result<Vec<Item>> {
    let list = list.map(|list| list.0).unwrap_or_default();
    list::items(list, by_reference).map_err(|reason| wrong("items", &reason))
}

fn is_on(flag: Option<Flag>, otherwise: bool) -> bool {
    flag.map_or(otherwise, |flag| flag.0)
}
