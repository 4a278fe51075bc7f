//! From the prefix to what is wanted, by descriptors; what is missing is made where that is asked for.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::Mode;
use rustix::io::Errno;

use super::wish::Wish;
use crate::error::{Error, Result};
use crate::sys::Failure;
use crate::sys::beneath::{Dir, Follow, How};
use crate::volume::HostPathType;

/// The modes of what is made, as Kubernetes has them.
const DIRECTORY: u32 = 0o755;
const FILE: u32 = 0o644;

/// Opens what is wanted, as a place.
pub(super) fn reach(prefix: &Dir, wish: &Wish<'_>) -> Result<OwnedFd> {
    let follow = if wish.follow_symlinks { Follow::Beneath } else { Follow::Nothing };
    match prefix.reach(&wish.below, follow) {
        Err(why) if why.is_not_found() => make(prefix, wish, why),
        answer => answer.map_err(|why| refused(&wish.path, why)),
    }
}

/// Makes what is missing, if it is to be made. No link is followed for that.
fn make(prefix: &Dir, wish: &Wish<'_>, missing: Failure) -> Result<OwnedFd> {
    let not_made = |why| refused(&wish.path, why);
    match wish.kind {
        Some(HostPathType::DirectoryOrCreate) => {
            let mut dir = prefix.duplicate().map_err(not_made)?;
            for name in &wish.below {
                dir = ensure_dir(&dir, name).map_err(not_made)?;
            }
        }
        // Its parents are not made.
        Some(HostPathType::FileOrCreate) => {
            let (Some(parent), Some(name)) = (wish.below.parent(), wish.below.file_name()) else {
                return Err(absent(&wish.path, missing));
            };
            let parent = match prefix.reach(parent, Follow::Nothing).and_then(Dir::of_opened) {
                Err(why) if why.is_not_found() => return Err(absent(&wish.path, why)),
                answer => answer.map_err(not_made)?,
            };
            create_file(&parent, name).map_err(not_made)?;
        }
        _ => return Err(absent(&wish.path, missing)),
    }
    prefix.reach(&wish.below, Follow::Nothing).map_err(not_made)
}

fn ensure_dir(dir: &Dir, name: &OsStr) -> crate::sys::Result<Dir> {
    match dir.create_dir(name) {
        Ok(made) => {
            made.set_mode(Mode::from_raw_mode(DIRECTORY))?;
            Ok(made)
        }
        Err(why) if why.errno() == Some(Errno::EXIST) => dir.open_dir(name),
        Err(why) => Err(why),
    }
}

/// Somebody else may have made it meanwhile: then it is theirs, and what it is is looked at later.
fn create_file(dir: &Dir, name: &OsStr) -> crate::sys::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    match dir.open_file(name, How::CreateNew) {
        Ok(file) => {
            let mode = std::fs::Permissions::from_mode(FILE);
            file.set_permissions(mode).map_err(|why| Failure::new("set the mode of a file", why))
        }
        Err(why) if why.errno() == Some(Errno::EXIST) => Ok(()),
        Err(why) => Err(why),
    }
}

fn absent(path: &Path, why: Failure) -> Error {
    let reason = format!("hostPath {} doesn't exist", path.display());
    Error::Unfit { reason, source: Some(why.into()) }
}

pub(super) fn refused(path: &Path, why: Failure) -> Error {
    let path = path.display();
    let reason = match why.errno() {
        Some(Errno::LOOP) => format!("hostPath {path} leads over a link, which is not followed"),
        Some(Errno::XDEV) => format!("hostPath {path} leads out of what is allowed"),
        Some(Errno::NOTDIR) => format!("hostPath {path} leads over something that is no directory"),
        Some(Errno::NOENT) => format!("hostPath {path} doesn't exist"),
        _ => return Error::internal(format!("reach hostPath {path}"), why),
    };
    Error::Unfit { reason, source: Some(why.into()) }
}
