//! Links, which are made and read but never followed.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;

use rustix::fs::{AtFlags, FileType, Gid, RenameFlags};
use rustix::io::Errno;

use super::{Dir, name};
use crate::sys::failure::{Doing, Failure, Result};

impl Dir {
    /// Returns what the link `name` says, or nothing where there is none. EINVAL where that is no link.
    pub fn read_link(&self, name: impl AsRef<OsStr>) -> Result<Option<OsString>> {
        let name = name.as_ref();
        let read =
            name::checked(name).and_then(|name| rustix::fs::readlinkat(self, name, Vec::new()));
        match read {
            Ok(text) => Ok(Some(OsString::from_vec(text.into_bytes()))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => {
                Err(Failure::new(format!("read the link {}", self.path_of(name).display()), errno))
            }
        }
    }

    /// Makes the link `name`, which must not exist, and gives it to the group.
    pub fn create_link(
        &self,
        name: impl AsRef<OsStr>,
        says: impl AsRef<OsStr>,
        group: Option<u32>,
    ) -> Result<()> {
        let name = name.as_ref();
        let made = name::checked(name)
            .and_then(|name| rustix::fs::symlinkat(says.as_ref(), self, name))
            .and_then(|()| match group.map(Gid::from_raw) {
                Some(group) => {
                    rustix::fs::chownat(self, name, None, Some(group), AtFlags::SYMLINK_NOFOLLOW)
                }
                None => Ok(()),
            });
        made.doing(|| format!("make the link {}", self.path_of(name).display()))
    }

    /// Says whether `name` is a link.
    pub fn is_link(&self, name: impl AsRef<OsStr>) -> Result<bool> {
        let name = name.as_ref();
        let found = self.stat(name);
        let found = found.doing(|| format!("look at {}", self.path_of(name).display()))?;
        Ok(FileType::from_raw_mode(found.st_mode).is_symlink())
    }

    /// Moves `from` to `to` of the same directory, in place of the link or file that may be there.
    pub fn rename_over(&self, from: impl AsRef<OsStr>, to: impl AsRef<OsStr>) -> Result<()> {
        self.rename(from.as_ref(), self, to.as_ref(), RenameFlags::empty())
    }
}
