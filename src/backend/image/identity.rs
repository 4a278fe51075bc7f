//! `pool.json`: what tells a pool from any other, and whose it is.
//!
//! The node id keeps a disk that was moved, or a directory that two nodes see, from being served by a node
//! that did not fill it; `orlop adopt` is how an admin says that this is meant.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::{Error, Result};
use super::format::{self, FORMAT, Unread};
use super::layout;
use super::record;
use super::settings::Settings;
use super::store::{is_file, look};
use crate::sys::Failure;
use crate::sys::beneath::Dir;

/// What a pool says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Identity {
    format_version: u32,
    pub(super) name: String,
    pub(super) uuid: Uuid,
    pub(super) node: String,
}

// === impl Identity ===

impl Identity {
    /// Returns the identity of a new pool.
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            format_version: FORMAT,
            name: settings.name.clone(),
            uuid: Uuid::new_v4(),
            node: settings.node.clone(),
        }
    }

    /// Reads the identity of the pool in the directory, or returns nothing when there is none yet.
    pub(super) fn read(root: &Dir) -> Result<Option<Self>> {
        let Some(text) = text(root)? else { return Ok(None) };
        parse(&text).map(Some).map_err(|unread| refused(root, &unread))
    }

    /// Reads the identity of the pool in the directory of a file system whose log was not replayed. Nothing is returned
    /// also when it cannot be read or understood: what is there may be whole behind the log only. A newer format is an
    /// error.
    pub(super) fn read_without_log(root: &Dir) -> Result<Option<Self>> {
        let Ok(Some(text)) = text(root) else { return Ok(None) };
        match parse(&text) {
            Ok(identity) => Ok(Some(identity)),
            Err(Unread::Foreign(_)) => Ok(None),
            Err(newer @ Unread::Newer(_)) => Err(refused(root, &newer)),
        }
    }

    /// Writes the identity.
    pub(super) fn write(&self, root: &Dir) -> Result<()> {
        let text = record::text(self)
            .map_err(|source| Error::Unwritable { id: self.name.clone(), source })?;
        root.write_atomically(layout::POOL, &text).map_err(|failure: Failure| failure.into())
    }

    /// Checks that the pool is the one that the config means, and this node's.
    pub(super) fn check(&self, settings: &Settings) -> Result<()> {
        let Settings { name, node, .. } = settings;
        self.check_name(settings)?;
        if self.node != *node {
            let theirs = &self.node;
            return Err(Error::unfit(format!(
                "pool {name} belongs to node {theirs:?} and this is node {node:?}: if its data is to be served here \
                 from now on, run `orlop adopt {name}`"
            )));
        }
        Ok(())
    }

    /// Checks that the pool is the one that the config means.
    pub(super) fn check_name(&self, settings: &Settings) -> Result<()> {
        let (theirs, name) = (&self.name, &settings.name);
        if theirs != name {
            return Err(Error::unfit(format!(
                "the config calls pool {name:?} what was made as pool {theirs:?}: name it so, or give each its own place"
            )));
        }
        Ok(())
    }
}

/// Returns the text of the identity, if there is any.
fn text(root: &Dir) -> Result<Option<Vec<u8>>> {
    let Some(stat) = look(root, layout::POOL)? else { return Ok(None) };
    if !is_file(&stat) || stat.st_size.unsigned_abs() > record::MOST_BYTES {
        let file = root.path_of(layout::POOL);
        return Err(Error::unfit(format!("{} is not the description of a pool", file.display())));
    }
    Ok(Some(root.read(layout::POOL)?))
}

fn parse(text: &[u8]) -> std::result::Result<Identity, Unread> {
    format::parse(text, |identity: &Identity| identity.format_version)
}

fn refused(root: &Dir, unread: &Unread) -> Error {
    Error::unfit(format!("{} {}", root.path_of(layout::POOL).display(), words(unread)))
}

fn words(unread: &Unread) -> String {
    match unread {
        Unread::Newer(version) => {
            format!("has format {version}, which a newer Orlop wrote: use that version")
        }
        Unread::Foreign(mistake) => {
            format!(
                "cannot be understood: {mistake}; restore it, because it says whose the pool is"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_exactly_an_identity_is_refused_in_words() {
        let whole = r#"{"formatVersion":1,"name":"a","uuid":"f2868e1a-a7ca-4669-917c-d9f5ab1b7957","node":"n1"}"#;
        assert_eq!(parse(whole.as_bytes()).unwrap().node, "n1");
        for (text, word) in [
            ("", "cannot be understood"),
            (r#"{"formatVersion":1,"name":"a""#, "cannot be understood"),
            (r#"{"formatVersion":1,"name":"a"}"#, "uuid"),
            (r#"{"formatVersion":2,"anything":{}}"#, "a newer Orlop"),
        ] {
            let why = words(&parse(text.as_bytes()).unwrap_err());
            assert!(why.contains(word), "{text}: {why}");
        }
    }
}
