//! What no pod gets, whatever the config says: whoever has it has the node.
//!
//! A directory has many names (links, bind mounts), so it is known by its device and inode as well as by its path.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::sys::beneath::Dir;
use crate::sys::inspect::look;

/// Directories that are denied, with all that is in them.
#[derive(Debug)]
pub(super) struct Denied(Vec<PathBuf>);

/// By what the kernel knows a directory.
type Number = (u64, u64);

// === impl Denied ===

impl Denied {
    pub(super) fn new(paths: Vec<PathBuf>) -> Self {
        Self(paths)
    }

    /// Refuses a prefix that is one of them, lies in one of them, or has one of them in it.
    pub(super) fn check(&self, prefix: &Dir) -> Result<()> {
        let not_read = |why| Error::internal("look at a prefix of hostPath", why);
        let path = prefix.real_path().map_err(not_read)?;
        let number = number_of(prefix).map_err(not_read)?;
        let above = numbers_above(&path);
        for denied in &self.0 {
            // One that this node does not have leads nowhere.
            let Some((real, its_number)) = known(denied) else { continue };
            let overlaps = real.starts_with(&path)
                || path.starts_with(&real)
                || its_number.is_some_and(|number| above.contains(&number))
                || numbers_above(&real).contains(&number);
            if overlaps {
                let (prefix, denied) = (path.display(), denied.display());
                return Err(Error::forbidden(format!(
                    "{prefix} and {denied} overlap: whoever has that has the node, so no config allows it"
                )));
            }
        }
        Ok(())
    }

    /// Refuses what is one of them under another name.
    pub(super) fn check_is_none(&self, found: impl AsFd) -> Result<()> {
        let not_read = |why| Error::internal("look at a part of the host", why);
        let number = number_of(found).map_err(not_read)?;
        let is_it = |denied: &&PathBuf| {
            Dir::open(denied).and_then(number_of).is_ok_and(|its_number| its_number == number)
        };
        match self.0.iter().find(is_it) {
            Some(denied) => {
                Err(Error::forbidden(format!("it is {}, which no config allows", denied.display())))
            }
            None => Ok(()),
        }
    }
}

/// Returns the real path of what is denied, and its number if it is a directory.
fn known(denied: &Path) -> Option<(PathBuf, Option<Number>)> {
    if let Ok(dir) = Dir::open(denied) {
        return Some((dir.real_path().ok()?, number_of(&dir).ok()));
    }
    let (parent, name) = (denied.parent()?, denied.file_name()?);
    Some((Dir::open(parent).ok()?.real_path().ok()?.join(name), None))
}

fn number_of(at: impl AsFd) -> crate::sys::Result<Number> {
    look(at).map(|seen| (seen.device.raw(), seen.inode))
}

/// Returns the numbers of a directory and of all that it lies in.
fn numbers_above(path: &Path) -> Vec<Number> {
    let open = |path: &Path| Dir::open(path).and_then(number_of).ok();
    // The root is above everything, and so says nothing.
    path.ancestors().filter(|above| above.parent().is_some()).filter_map(open).collect()
}
