//! Removes files and whole trees.
//!
//! A tree is flattened while it is removed: a directory found in a subdirectory is moved up to the top and
//! emptied there later. So neither the depth that a pod gave its tree, nor the length of its paths, asks for
//! more than three descriptors or for any recursion.
//!
//! A file that is immutable is let go first: whoever removes a tree means all of it.

use std::ffi::{OsStr, OsString};
use std::fs::File;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags, ResolveFlags, StatxFlags, statx};
use rustix::io::Errno;

use super::{DIRECTORY, Dir, name};
use crate::sys::failure::{Doing, Failure, Result};
use crate::sys::seal;

impl Dir {
    /// Removes the file or link `name`. Returns whether there was one.
    pub fn remove_file(&self, name: impl AsRef<OsStr>) -> Result<bool> {
        let name = name.as_ref();
        match self.unlink(name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => {
                Err(Failure::new(format!("remove {}", self.path_of(name).display()), errno))
            }
        }
    }

    /// Removes the directory `name` if nothing is in it (ENOTEMPTY). Returns whether there was one.
    pub fn remove_empty_dir(&self, name: impl AsRef<OsStr>) -> Result<bool> {
        let name = name.as_ref();
        match self.unlink(name, AtFlags::REMOVEDIR) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => {
                Err(Failure::new(format!("remove {}", self.path_of(name).display()), errno))
            }
        }
    }

    /// Removes `name` with everything in it, and returns whether there was anything. A link is removed and
    /// never followed. A mount point anywhere inside is an error (EXDEV or EBUSY), and what is mounted there
    /// stays untouched.
    pub fn remove_tree(&self, name: impl AsRef<OsStr>) -> Result<bool> {
        let name = name.as_ref();
        let doing = || format!("remove {} with all it holds", self.path_of(name).display());
        match self.remove_entry(name) {
            Ok(Entry::Removed) => return Ok(true),
            Ok(Entry::Absent) => return Ok(false),
            Ok(Entry::Directory(top)) => empty(&top).doing(doing)?,
            Err(errno) => return Err(Failure::new(doing(), errno)),
        }
        self.unlink(name, AtFlags::REMOVEDIR).doing(doing)?;
        Ok(true)
    }

    fn unlink(&self, name: &OsStr, flags: AtFlags) -> Result<(), Errno> {
        rustix::fs::unlinkat(&self.fd, name::checked(name)?, flags)
    }

    /// Removes `name`, or opens it if it is a directory.
    fn remove_entry(&self, name: &OsStr) -> Result<Entry, Errno> {
        match self.unlink(name, AtFlags::empty()) {
            Ok(()) => Ok(Entry::Removed),
            Err(Errno::NOENT) => Ok(Entry::Absent),
            Err(Errno::ISDIR) => self.open_inside(name).map(Entry::Directory),
            Err(Errno::PERM) if self.unseal(name)? => {
                self.unlink(name, AtFlags::empty()).map(|()| Entry::Removed)
            }
            Err(errno) => Err(errno),
        }
    }

    /// Lets the file `name` be changed again. Returns whether it was a file that the kernel let nobody change.
    fn unseal(&self, name: &OsStr) -> Result<bool, Errno> {
        let (flags, wanted) = (AtFlags::SYMLINK_NOFOLLOW, StatxFlags::TYPE);
        let stat = statx(&self.fd, name::checked(name)?, flags, wanted)?;
        // Nothing else is opened: to open a device is to use it.
        let is_file = FileType::from_raw_mode(stat.stx_mode.into()).is_file();
        if !is_file || !seal::is_immutable(&stat) {
            return Ok(false);
        }
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = self.lookup(name, flags, Mode::empty(), ResolveFlags::NO_XDEV)?;
        seal::lift(&File::from(file)).map_err(|failure| failure.errno().unwrap_or(Errno::PERM))
    }

    /// Opens the directory `name` unless something is mounted on it.
    fn open_inside(&self, name: &OsStr) -> Result<Self, Errno> {
        let flags = DIRECTORY | OFlags::NOFOLLOW;
        let fd = self.lookup(name, flags, Mode::empty(), ResolveFlags::NO_XDEV)?;
        Ok(Self { fd, path: self.path_of(name) })
    }
}

/// What became of an entry.
enum Entry {
    Removed,
    Absent,
    Directory(Dir),
}

/// Removes everything in `top`.
fn empty(top: &Dir) -> Result<(), Errno> {
    let mut moved = 0;
    loop {
        let names = top.list()?;
        if names.is_empty() {
            return Ok(());
        }
        for name in names {
            if let Entry::Directory(inner) = top.remove_entry(&name)? {
                lift(&inner, top, &mut moved)?;
                top.unlink(&name, AtFlags::REMOVEDIR)?;
            }
        }
    }
}

/// Empties `inner`: files are removed, directories are moved up to `top`.
fn lift(inner: &Dir, top: &Dir, moved: &mut u64) -> Result<(), Errno> {
    for name in inner.list()? {
        if let Entry::Directory(_) = inner.remove_entry(&name)? {
            move_up(inner, &name, top, moved)?;
        }
    }
    Ok(())
}

/// Moves the directory `name` to `top` under a name that nothing has there.
fn move_up(inner: &Dir, name: &OsStr, top: &Dir, moved: &mut u64) -> Result<(), Errno> {
    loop {
        let free = OsString::from(format!(".moved-{moved}"));
        *moved += 1;
        let flags = RenameFlags::NOREPLACE;
        match rustix::fs::renameat_with(&inner.fd, name, &top.fd, &free, flags) {
            Err(Errno::EXIST) => {}
            answer => return answer,
        }
    }
}
