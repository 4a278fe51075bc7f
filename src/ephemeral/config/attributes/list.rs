//! The lists of attributes, which are JSON: items, sources, directories.

use serde::Deserialize;

use super::super::path::ContentPath;
use super::scalar::{FileMode, Key, ObjectName};
use super::{Encoding, Item, PodField, PodItem, Resource, Source};

/// The most items of one source.
const MOST_ITEMS: usize = 4096;

/// The most sources of one volume.
const MOST_SOURCES: usize = 64;

/// One entry of `items`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ItemEntry {
    key: Key,
    path: ContentPath,
    mode: Option<FileMode>,
    encoding: Option<Encoding>,
}

/// One entry of `sources`: exactly one of them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) enum SourceEntry {
    ConfigMap(ObjectEntry),
    Secret(SecretEntry),
    PodInfo(PodInfoEntry),
    ServiceAccountToken(TokenEntry),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ObjectEntry {
    name: ObjectName,
    items: Option<Vec<ItemEntry>>,
    #[serde(default)]
    optional: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretEntry {
    name: Option<ObjectName>,
    #[serde(default, rename = "ref")]
    by_reference: bool,
    items: Option<Vec<ItemEntry>>,
    #[serde(default)]
    optional: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PodInfoEntry {
    items: Vec<PodItemEntry>,
    #[serde(default, rename = "fromAPI")]
    from_api: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PodItemEntry {
    field: String,
    path: ContentPath,
    mode: Option<FileMode>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenEntry {
    #[serde(default)]
    audience: String,
    path: ContentPath,
}

/// Checks `items`. None at all means every key, in Kubernetes, too.
pub(super) fn items(entries: Vec<ItemEntry>, by_reference: bool) -> Result<Vec<Item>, String> {
    if entries.len() > MOST_ITEMS {
        return Err(format!("there are {} items, and at most {MOST_ITEMS} may be", entries.len()));
    }
    if let Some(wrong) = entries.iter().find(|item| item.encoding.is_some() && !by_reference) {
        let key = wrong.key.as_str();
        return Err(format!(
            "item {key}: the encoding is for a secret of nodePublishSecretRef alone: the API has the bytes as they are"
        ));
    }
    let item = |entry: ItemEntry| Item {
        key: entry.key,
        path: entry.path,
        mode: entry.mode,
        encoding: entry.encoding.unwrap_or_default(),
    };
    Ok(entries.into_iter().map(item).collect())
}

/// Checks `sources`.
pub(super) fn sources(entries: Vec<SourceEntry>) -> Result<Vec<Source>, String> {
    if entries.is_empty() || entries.len() > MOST_SOURCES {
        return Err(format!("there must be 1 to {MOST_SOURCES} sources, not {}", entries.len()));
    }
    let check = |(index, entry): (usize, SourceEntry)| {
        entry.check().map_err(|reason| format!("source {index}: {reason}"))
    };
    let sources: Vec<Source> =
        entries.into_iter().enumerate().map(check).collect::<Result<_, _>>()?;
    let references = sources.iter().filter(|source| matches!(source, Source::Reference { .. }));
    if references.count() > 1 {
        return Err("a volume has one nodePublishSecretRef: only one source may be its".to_owned());
    }
    Ok(sources)
}

// === impl SourceEntry ===

impl SourceEntry {
    fn check(self) -> Result<Source, String> {
        match self {
            Self::ConfigMap(entry) => Ok(Source::Object {
                resource: Resource::ConfigMap,
                name: entry.name,
                items: items(entry.items.unwrap_or_default(), false)?,
                optional: entry.optional,
            }),
            Self::Secret(entry) => entry.check(),
            Self::PodInfo(entry) => entry.check(),
            Self::ServiceAccountToken(entry) => {
                Ok(Source::Token { audience: entry.audience, path: entry.path })
            }
        }
    }
}

impl SecretEntry {
    fn check(self) -> Result<Source, String> {
        let items = items(self.items.unwrap_or_default(), self.by_reference)?;
        match (self.by_reference, self.name) {
            (true, None) => Ok(Source::Reference { items, optional: self.optional }),
            (false, Some(name)) => Ok(Source::Object {
                resource: Resource::Secret,
                name,
                items,
                optional: self.optional,
            }),
            _ => Err("a secret has a name, or \"ref\": true, and not both".to_owned()),
        }
    }
}

impl PodInfoEntry {
    fn check(self) -> Result<Source, String> {
        let items = self.items.into_iter().map(|entry| {
            let field = PodField::named(&entry.field, self.from_api)?;
            Ok(PodItem { field, path: entry.path, mode: entry.mode })
        });
        let items: Vec<PodItem> = items.collect::<Result<_, String>>()?;
        if items.is_empty() {
            Err("podInfo needs items".to_owned())
        } else {
            Ok(Source::PodInfo { items, from_api: self.from_api })
        }
    }
}
