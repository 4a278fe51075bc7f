//! The attributes of a hostPath, and whether the admin lets this pod have it.

use std::os::fd::AsFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::FileType;
use serde::{Deserialize, Deserializer, de};

use crate::ephemeral::{Flag, InlineVolume};
use crate::error::{Error, Result};
use crate::sys::inspect::look;
use crate::volume::{HostPathPrefix, HostPathType};

/// What a prefix names that is for pods of every namespace.
const ANY_NAMESPACE: &str = "*";

/// The longest path that the kernel takes.
const LONGEST: usize = 4096;

/// As the user writes them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Entries {
    path: String,
    #[serde(default, rename = "type", deserialize_with = "type_or_nothing")]
    kind: Option<HostPathType>,
    recursive: Option<Flag>,
    follow_symlinks: Option<Flag>,
}

/// What is wanted, and may be had.
#[derive(Debug)]
pub(super) struct Wish<'a> {
    pub(super) prefix: &'a HostPathPrefix,
    pub(super) path: PathBuf,
    /// The path in the prefix.
    pub(super) below: PathBuf,
    /// Nothing for whatever is there.
    pub(super) kind: Option<HostPathType>,
    pub(super) recursive: bool,
    pub(super) follow_symlinks: bool,
    pub(super) read_only: bool,
}

// === impl Wish ===

impl<'a> Wish<'a> {
    pub(super) fn read(volume: &InlineVolume, prefixes: &'a [HostPathPrefix]) -> Result<Self> {
        let entries: Entries = volume.attributes.read()?;
        let path = plain(&entries.path)?;
        let namespace = &volume.pod.namespace;
        let prefix = allowed(&path, namespace, prefixes)?;
        if let Some(kind) = entries.kind {
            prefix.allows(kind, &path)?;
        }
        let follow_symlinks = entries.follow_symlinks.is_some_and(|flag| flag.0);
        if follow_symlinks && !prefix.follow_symlinks {
            return Err(Error::forbidden(format!(
                "followSymlinks is not allowed below {} on this node",
                prefix.path.display()
            )));
        }
        let below = path.strip_prefix(&prefix.path).unwrap_or(Path::new("")).to_owned();
        Ok(Self {
            prefix,
            path,
            below,
            kind: entries.kind,
            recursive: entries.recursive.is_none_or(|flag| flag.0),
            follow_symlinks,
            read_only: volume.read_only || prefix.read_only,
        })
    }

    /// Returns what was found, if it is what was wanted.
    pub(super) fn checked(&self, found: impl AsFd) -> Result<HostPathType> {
        let seen = look(found).map_err(|why| Error::internal("look at a part of the host", why))?;
        let path = self.path.display();
        let failed =
            |what: String| Err(Error::unfit(format!("hostPath type check failed: {path} {what}")));
        let is = match seen.kind {
            FileType::Directory => HostPathType::Directory,
            FileType::RegularFile => HostPathType::File,
            FileType::Socket => HostPathType::Socket,
            FileType::CharacterDevice => HostPathType::CharDevice,
            FileType::BlockDevice => HostPathType::BlockDevice,
            FileType::Symlink => {
                let reason = format!("hostPath {path} is a link, which is not followed");
                return Err(Error::unfit(reason));
            }
            FileType::Fifo | FileType::Unknown => {
                return failed("is of no type that a pod can have".to_owned());
            }
        };
        match self.kind {
            Some(wanted) if wanted.found() != is => {
                failed(format!("is not a {}, it's a {is}", wanted.found()))
            }
            Some(_) => Ok(is),
            None => self.prefix.allows(is, &self.path).map(|()| is),
        }
    }
}

/// Reads an absolute path that means one place only.
fn plain(text: &str) -> Result<PathBuf> {
    let wrong = |reason: &str| Error::invalid("volume_attributes", format!("path: {reason}"));
    let path = Path::new(text);
    if path.components().any(|part| part == Component::ParentDir) {
        return Err(wrong("must not contain '..'"));
    }
    if !path.is_absolute() {
        return Err(wrong("must be absolute"));
    }
    if text.contains('\0') || text.len() > LONGEST {
        return Err(wrong("is no path"));
    }
    Ok(path.components().collect())
}

/// Returns the innermost prefix that has the path. Of several for one directory it is the one that names the namespace,
/// before the one for any.
fn allowed<'a>(
    path: &Path,
    namespace: &str,
    prefixes: &'a [HostPathPrefix],
) -> Result<&'a HostPathPrefix> {
    let has_it = prefixes.iter().filter(|prefix| path.starts_with(&prefix.path));
    let innermost = has_it.max_by_key(|prefix| prefix.path.as_os_str().len());
    let path = path.display();
    let innermost = innermost.ok_or_else(|| {
        Error::forbidden(format!(
            "hostPath {path} is not allowed on this node: roles.hostpath.prefixes in the config has it not"
        ))
    })?;
    let of = |namespace: &str| {
        let mut alike = prefixes.iter().filter(|prefix| prefix.path == innermost.path);
        alike.find(|prefix| prefix.namespaces.iter().any(|allowed| allowed == namespace))
    };
    of(namespace).or_else(|| of(ANY_NAMESPACE)).ok_or_else(|| {
        let prefix = innermost.path.display();
        Error::forbidden(format!(
            "hostPath {path} is not allowed to pods of the namespace {namespace}: the prefix {prefix} in the config does not name it"
        ))
    })
}

// === impl HostPathPrefix ===

impl HostPathPrefix {
    fn allows(&self, kind: HostPathType, path: &Path) -> Result<()> {
        // Who may have one made may have one that is there.
        let is_allowed = self.types.iter().any(|one| *one == kind || one.found() == kind);
        if is_allowed {
            return Ok(());
        }
        let (path, prefix) = (path.display(), self.path.display());
        Err(Error::forbidden(format!(
            "hostPath {path} is not allowed as {kind:?}: the types of the prefix {prefix} in the config lack it"
        )))
    }
}

fn type_or_nothing<'de, D: Deserializer<'de>>(from: D) -> Result<Option<HostPathType>, D::Error> {
    let text = String::deserialize(from)?;
    if text.is_empty() {
        return Ok(None);
    }
    let named = |kind: &HostPathType| format!("{kind:?}");
    if let Some(kind) = HostPathType::ALL.iter().find(|kind| named(kind) == text) {
        return Ok(Some(*kind));
    }
    let all = HostPathType::ALL.each_ref().map(named).join(", ");
    Err(de::Error::custom(format!("must be \"\" or one of {all}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_can_be_given_to_namespaces_in_different_ways() {
        let prefix = |path: &str, namespace: &str, read_only| HostPathPrefix {
            path: path.into(),
            namespaces: vec![namespace.to_owned()],
            types: vec![HostPathType::Directory],
            read_only,
            follow_symlinks: false,
        };
        let mut prefixes = vec![
            prefix("/srv", "*", true),
            prefix("/srv", "writer", false),
            prefix("/srv/inner", "inner", false),
        ];
        // Their order means nothing.
        for _ in 0..2 {
            for (path, namespace, expected) in [
                ("/srv/a", "reader", Some(true)),
                ("/srv/a", "writer", Some(false)),
                ("/srv/inner", "inner", Some(false)),
                // What is inside is not what is around it.
                ("/srv/inner", "writer", None),
                ("/other", "writer", None),
            ] {
                let found = allowed(Path::new(path), namespace, &prefixes);
                let found = found.ok().map(|prefix| prefix.read_only);
                assert_eq!(found, expected, "{path} for {namespace}");
            }
            prefixes.reverse();
        }
    }
}
