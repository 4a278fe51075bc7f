//! Files and directories that others read: with a mode and a group, whatever the umask is.

use std::ffi::OsStr;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{Gid, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::{DIRECTORY, Dir, How};
use crate::sys::failure::{Doing, Result};

/// Who may do what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// The permissions.
    pub mode: u32,
    /// The group; without it the one that the directory gives.
    pub group: Option<u32>,
}

impl Dir {
    /// Opens the directory that a descriptor refers to, which may be one that only names it. `path` is for messages.
    pub fn reopen(of: impl AsFd, path: PathBuf) -> Result<Self> {
        let fd = rustix::fs::openat(of, ".", DIRECTORY, Mode::empty())
            .doing(|| format!("open the directory {}", path.display()))?;
        Ok(Self { fd, path })
    }

    /// Makes the file `name`, which must not exist, with this content.
    pub fn create_file(&self, name: impl AsRef<OsStr>, bytes: &[u8], access: Access) -> Result<()> {
        let name = name.as_ref();
        let mut file = self.open_file(name, How::CreateNew)?;
        let written = file.write_all(bytes);
        let doing = || format!("write {}", self.path_of(name).display());
        written.doing(doing)?;
        access.give(&file).doing(doing)
    }

    /// Makes the directory `name`, which must not exist, and opens it.
    pub fn create_dir_for(&self, name: impl AsRef<OsStr>, access: Access) -> Result<Self> {
        let made = self.create_dir(name)?;
        made.give(access)?;
        Ok(made)
    }

    /// Makes the directory `name` if there is none, and opens it.
    pub fn ensure_dir_for(&self, name: impl AsRef<OsStr>, access: Access) -> Result<Self> {
        match self.create_dir_for(&name, access) {
            Err(failure) if failure.errno() == Some(Errno::EXIST) => self.open_dir(name),
            answer => answer,
        }
    }

    /// Sets who may do what with the directory itself.
    pub fn give(&self, access: Access) -> Result<()> {
        access.give(&self.fd).doing(|| format!("set the owner of {}", self.path.display()))
    }

    /// Opens the file or directory at a path of several names, none of which may be a link or a mount point.
    pub(crate) fn open_deep(&self, path: &str) -> Result<OwnedFd> {
        let resolve = ResolveFlags::BENEATH
            | ResolveFlags::NO_SYMLINKS
            | ResolveFlags::NO_MAGICLINKS
            | ResolveFlags::NO_XDEV;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let opened = rustix::fs::openat2(&self.fd, path, flags, Mode::empty(), resolve);
        opened.doing(|| format!("open {}", self.path.join(path).display()))
    }
}

// === impl Access ===

impl Access {
    fn give(self, to: impl AsFd) -> Result<(), Errno> {
        if let Some(group) = self.group {
            rustix::fs::fchown(&to, None, Some(Gid::from_raw(group)))?;
        }
        // After the group: a change of owner takes the setgid bit away.
        rustix::fs::fchmod(&to, Mode::from_raw_mode(self.mode))
    }
}
