//! What no pod gets, whatever the config says: whoever has it has the node.
//!
//! A directory has many names (links, bind mounts), so it is known by its device and inode as well as by its path, and
//! by where it is in its file system: a bind mount of a directory deep in it has neither.

use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};

use super::places::Place;
use crate::error::{Error, Result};
use crate::sys::beneath::Dir;
use crate::sys::inspect::{look, mount_number};
use crate::sys::mount::Reach;
use crate::sys::mountinfo::MountTable;

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
        let table = MountTable::read().map_err(not_read)?;
        let place = Place::of(&table, &path);
        for denied in &self.0 {
            // One that this node does not have leads nowhere.
            let Some((real, its_number)) = known(denied) else { continue };
            let overlaps = real.starts_with(&path)
                || path.starts_with(&real)
                || its_number.is_some_and(|number| above.contains(&number))
                || numbers_above(&real).contains(&number)
                || place
                    .as_ref()
                    .zip(Place::of(&table, &real))
                    .is_some_and(|(a, b)| a.overlaps(&b));
            if overlaps {
                let (prefix, denied) = (path.display(), denied.display());
                return Err(Error::forbidden(format!(
                    "{prefix} and {denied} overlap: whoever has that has the node, so no config allows it"
                )));
            }
        }
        Ok(())
    }

    /// Refuses what is one of them, or a part of one, under another name: itself, or where it is shown with all that is
    /// mounted in it, one of those mounts of the table.
    pub(super) fn check_shown(
        &self,
        found: impl AsFd,
        reach: Reach,
        table: &MountTable,
    ) -> Result<()> {
        let not_read = |why| Error::internal("look at a part of the host", why);
        let number = number_of(&found).map_err(not_read)?;
        let link = format!("/proc/thread-self/fd/{}", found.as_fd().as_raw_fd());
        let path = std::fs::read_link(link);
        let path = path.map_err(|why| Error::internal("look at a part of the host", why))?;
        let mount = mount_number(&found).map_err(not_read)?;
        let place = Place::in_mount(table, mount, &path);
        let mut shown =
            vec![place.ok_or_else(|| {
                Error::unfit(format!("{} was unmounted just now", path.display()))
            })?];
        if reach == Reach::Recursive {
            shown.extend(Place::below(table, mount, &path));
        }
        for denied in &self.0 {
            let Some((real, its_number)) = known(denied) else { continue };
            let place = Place::of(table, &real);
            let is_shown =
                shown.iter().any(|one| place.as_ref().is_some_and(|it| one.overlaps(it)));
            if its_number == Some(number) || is_shown {
                let (path, denied) = (path.display(), denied.display());
                return Err(Error::forbidden(format!(
                    "{path} shows {denied} or a part of it, which no config allows"
                )));
            }
        }
        Ok(())
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
