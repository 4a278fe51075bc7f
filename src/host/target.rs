//! The publish target: a directory or a file that the driver makes and takes away again.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::backend::Ensured;
use crate::error::{Error, Result};

/// Makes sure that an empty directory exists, and says whether it had to be made; its parent exists, the
/// orchestrator made it.
pub(super) fn ensure_directory(path: &Path) -> Result<Ensured<()>> {
    match fs::DirBuilder::new().mode(0o750).create(path) {
        Ok(()) => Ok(Ensured::Made(())),
        Err(why) if why.kind() == ErrorKind::AlreadyExists => {
            // What lies in it would be hidden now and in the way of the unpublish later.
            let is_empty = || fs::read_dir(path).map(|mut all| all.next().is_none());
            if is_directory(path)? && is_empty().map_err(|why| cannot(path, why))? {
                return Ok(Ensured::Found(()));
            }
            Err(occupied(path, "an empty directory"))
        }
        Err(why) => Err(cannot(path, why)),
    }
}

/// Makes sure that an empty file exists, as a place to bind a device node on, and says whether it had to be made.
pub(super) fn ensure_file(path: &Path) -> Result<Ensured<()>> {
    match fs::OpenOptions::new().write(true).create_new(true).mode(0o640).open(path) {
        Ok(_) => Ok(Ensured::Made(())),
        Err(why) if why.kind() == ErrorKind::AlreadyExists => {
            let found = fs::symlink_metadata(path).map_err(|why| cannot(path, why))?;
            if found.is_file() && found.len() == 0 {
                return Ok(Ensured::Found(()));
            }
            Err(occupied(path, "an empty file"))
        }
        Err(why) => Err(cannot(path, why)),
    }
}

/// Takes away again what a failed publish has made.
pub(super) fn undo(path: &Path, target: Ensured<()>) {
    if target.is_made()
        && let Err(left) = remove(path)
    {
        tracing::warn!(why = left.sentence(), "a failed publish left its target");
    }
}

/// Removes the target if it is what the two functions above make: an empty directory or an empty file.
/// Anything else is not ours and stays.
pub(super) fn remove(path: &Path) -> Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(why) if gone(&why) => return Ok(()),
        Err(why) => return Err(cannot(path, why)),
    };
    let removed = if found.is_dir() {
        fs::remove_dir(path)
    } else if found.is_file() && found.len() == 0 {
        fs::remove_file(path)
    } else {
        return Err(Error::unfit(format!("{} is not empty; it is left as it is", path.display())));
    };
    match removed {
        Err(why) if gone(&why) => Ok(()),
        Err(why) if why.kind() == ErrorKind::DirectoryNotEmpty => {
            Err(Error::unfit(format!("{} is not empty; it is left as it is", path.display())))
        }
        other => other.map_err(|why| cannot(path, why)),
    }
}

/// A link is not followed: it is no directory.
fn is_directory(path: &Path) -> Result<bool> {
    Ok(fs::symlink_metadata(path).map_err(|why| cannot(path, why))?.is_dir())
}

/// Where a component of the path is no directory any more, the path does not exist either.
fn gone(why: &std::io::Error) -> bool {
    matches!(why.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn occupied(path: &Path, wanted: &str) -> Error {
    let reason = format!("{} exists, but must be {wanted}", path.display());
    Error::invalid("target_path", reason)
}

fn cannot(path: &Path, why: std::io::Error) -> Error {
    if why.kind() == ErrorKind::NotFound {
        let reason = format!("the parent of {} does not exist", path.display());
        return Error::invalid("target_path", reason);
    }
    if matches!(why.kind(), ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied) {
        let reason = format!("the directory of the target {} cannot be written", path.display());
        return Error::Unfit { reason, source: Some(why.into()) };
    }
    Error::internal(format!("make or remove the target {}", path.display()), why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_empty_is_removed() {
        let room = tempfile::tempdir().unwrap();
        let at = |name: &str| room.path().join(name);
        ensure_directory(&at("d")).unwrap();
        ensure_directory(&at("d")).unwrap();
        assert!(ensure_file(&at("d")).is_err());
        ensure_file(&at("f")).unwrap();
        assert!(ensure_directory(&at("f")).is_err());
        fs::write(at("full"), "x").unwrap();
        ensure_directory(&at("taken")).unwrap();
        fs::write(at("taken/x"), "x").unwrap();
        std::os::unix::fs::symlink(at("full"), at("link")).unwrap();
        for stays in ["full", "taken", "link"] {
            assert!(matches!(remove(&at(stays)), Err(Error::Unfit { .. })), "{stays}");
        }
        for occupied in ["link", "full", "taken"] {
            assert!(ensure_directory(&at(occupied)).is_err(), "{occupied}");
            assert!(ensure_file(&at(occupied)).is_err(), "{occupied}");
        }
        for goes in ["d", "f", "never-there", "f/below"] {
            remove(&at(goes)).unwrap();
        }
        assert!(matches!(ensure_file(&at("no/parent")), Err(Error::Invalid { .. })));
    }
}
