//! Directories that nobody can be led out of.
//!
//! A [`Dir`] is an open directory. Everything is looked up in it by a single name, and the kernel is told to
//! refuse links and `..` on the way, so that no name, wherever it came from, reaches a neighbour or a parent,
//! and a directory that is renamed meanwhile stays the one that was meant.

mod content;
mod link;
mod lock;
mod mark;
mod name;
mod remove;
mod write;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags, ResolveFlags};
use rustix::io::Errno;

use super::failure::{Doing, Failure, Result};

pub use content::Access;
pub use lock::DirLock;
pub use write::temporary_of;

/// An open directory, and the path it had when it was opened, which is only for messages.
#[derive(Debug)]
pub struct Dir {
    fd: OwnedFd,
    path: PathBuf,
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// For reading.
    Read,
    /// For reading and writing.
    ReadWrite,
    /// It must not exist yet, and is made for reading and writing by us alone.
    CreateNew,
}

/// Whether links are followed on the way to something that lies deeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// A link on the way is ELOOP, and one at its end is opened itself.
    Nothing,
    /// Those that stay in the directory are; one that leads out is EXDEV.
    Beneath,
}

/// How often a lookup is tried that a rename somewhere else has spoiled.
const LOOKUPS: u32 = 64;

/// What a look at a plain name meets that is just being moved away: such a name leads out of its directory in no other
/// way. With [`ResolveFlags::NO_XDEV`] it also does where something is mounted, and that stays so.
const MOVED_AWAY: Errno = Errno::XDEV;

/// Nothing leads out of the directory.
const BENEATH: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::RDONLY).union(OFlags::CLOEXEC);

/// Only root looks into a pool; pods see what is mounted for them.
const DIRECTORY_MODE: Mode = Mode::RWXU;
const FILE_MODE: Mode = Mode::RUSR.union(Mode::WUSR);

// === impl How ===

impl How {
    fn flags(self) -> (OFlags, Mode) {
        let (flags, mode) = match self {
            Self::Read => (OFlags::RDONLY, Mode::empty()),
            Self::ReadWrite => (OFlags::RDWR, Mode::empty()),
            Self::CreateNew => (OFlags::RDWR | OFlags::CREATE | OFlags::EXCL, FILE_MODE),
        };
        (flags | OFlags::CLOEXEC, mode)
    }
}

// === impl Dir ===

impl Dir {
    /// Opens the directory at `path`. Links on the way are followed: the path comes from the administrator.
    pub fn open(path: &Path) -> Result<Self> {
        let fd = rustix::fs::openat(CWD, path, DIRECTORY, Mode::empty())
            .doing(|| format!("open the directory {}", path.display()))?;
        Ok(Self { fd, path: path.to_owned() })
    }

    /// Opens the directory that the descriptor refers to, be that opened as a path only.
    pub fn of_opened(at: impl AsFd) -> Result<Self> {
        let fd = rustix::fs::openat(at, ".", DIRECTORY, Mode::empty());
        let fd = fd.doing(|| "open a directory anew")?;
        Ok(Self { fd, path: PathBuf::from(".") })
    }

    /// Returns the path by which the kernel knows the directory, without any link.
    pub fn real_path(&self) -> Result<PathBuf> {
        let link = format!("/proc/thread-self/fd/{}", self.fd.as_raw_fd());
        std::fs::read_link(link).doing(|| format!("look for {}", self.path.display()))
    }

    /// Opens whatever is called `name` as a place, and follows nothing: a link is opened itself.
    pub fn open_place(&self, name: impl AsRef<OsStr>) -> Result<OwnedFd> {
        let name = name.as_ref();
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = self.lookup(name, flags, Mode::empty(), ResolveFlags::empty());
        fd.doing(|| format!("look at {}", self.path_of(name).display()))
    }

    /// Opens whatever is at the path `below`, which may have many parts and never leads out of the directory, as a place.
    /// An empty path is the directory itself.
    pub fn reach(&self, below: &Path, follow: Follow) -> Result<OwnedFd> {
        let doing = || format!("look for {}", self.path_of(below).display());
        let below = if below.as_os_str().is_empty() { Path::new(".") } else { below };
        let (flags, links) = match follow {
            Follow::Nothing => (OFlags::NOFOLLOW, ResolveFlags::NO_SYMLINKS),
            Follow::Beneath => (OFlags::empty(), ResolveFlags::empty()),
        };
        let flags = flags | OFlags::PATH | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | links;
        // A rename anywhere, or a mount, makes the kernel unsure: then it says so, and has to be asked again.
        let look = || rustix::fs::openat2(&self.fd, below, flags, Mode::empty(), resolve);
        settled(Errno::AGAIN, look).doing(doing)
    }

    /// Sets the mode of the directory itself.
    pub fn set_mode(&self, mode: Mode) -> Result<()> {
        let set = rustix::fs::fchmod(&self.fd, mode);
        set.doing(|| format!("set the mode of {}", self.path.display()))
    }

    /// Opens the directory `name`.
    pub fn open_dir(&self, name: impl AsRef<OsStr>) -> Result<Self> {
        let name = name.as_ref();
        let fd = self.lookup(name, DIRECTORY, Mode::empty(), ResolveFlags::empty());
        let fd = fd.doing(|| format!("open the directory {}", self.path_of(name).display()))?;
        Ok(Self { fd, path: self.path_of(name) })
    }

    /// Makes the directory `name`, which must not exist, and opens it.
    pub fn create_dir(&self, name: impl AsRef<OsStr>) -> Result<Self> {
        let name = name.as_ref();
        let made = name::checked(name)
            .and_then(|name| rustix::fs::mkdirat(&self.fd, name, DIRECTORY_MODE));
        made.doing(|| format!("make the directory {}", self.path_of(name).display()))?;
        self.open_dir(name)
    }

    /// Opens the directory `name`, and makes it first if there is none.
    pub fn ensure_dir(&self, name: impl AsRef<OsStr>) -> Result<Self> {
        let name = name.as_ref();
        match self.create_dir(name) {
            Err(failure) if failure.errno() == Some(Errno::EXIST) => self.open_dir(name),
            answer => answer,
        }
    }

    /// Opens the file `name`.
    pub fn open_file(&self, name: impl AsRef<OsStr>, how: How) -> Result<File> {
        let name = name.as_ref();
        let (flags, mode) = how.flags();
        let fd = self.lookup(name, flags, mode, ResolveFlags::empty());
        fd.map(File::from).doing(|| format!("open {}", self.path_of(name).display()))
    }

    /// Opens the file `name` of the directory `within`.
    pub fn open_file_in(&self, within: &str, name: &str, how: How) -> Result<File> {
        let (flags, mode) = how.flags();
        let fd = self.lookup_in(within, name, flags, mode);
        fd.map(File::from).doing(|| format!("open {}", self.path_of(within).join(name).display()))
    }

    /// Says whether there is anything called `name` in the directory `within`, which need not exist.
    pub fn exists_in(&self, within: &str, name: &str) -> Result<bool> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match self.lookup_in(within, name, flags, Mode::empty()) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => {
                let path = self.path_of(within).join(name);
                Err(Failure::new(format!("look at {}", path.display()), errno))
            }
        }
    }

    /// Returns the content of the file `name`.
    pub fn read(&self, name: impl AsRef<OsStr>) -> Result<Vec<u8>> {
        let name = name.as_ref();
        let mut bytes = Vec::new();
        let read = self.open_file(name, How::Read)?.read_to_end(&mut bytes);
        read.doing(|| format!("read {}", self.path_of(name).display()))?;
        Ok(bytes)
    }

    /// Says whether there is anything called `name`, be it a link that leads nowhere.
    pub fn exists(&self, name: impl AsRef<OsStr>) -> Result<bool> {
        let name = name.as_ref();
        match self.stat(name) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => {
                Err(Failure::new(format!("look at {}", self.path_of(name).display()), errno))
            }
        }
    }

    /// Returns the names of everything in the directory, in alphabetical order.
    pub fn names(&self) -> Result<Vec<OsString>> {
        let mut names = self.list().doing(|| format!("list {}", self.path.display()))?;
        names.sort();
        Ok(names)
    }

    /// Moves `from` of this directory to `to` of another. EEXIST when there is anything called that, even an
    /// empty directory, which a plain rename would replace without a word.
    pub fn rename_noreplace(
        &self,
        from: impl AsRef<OsStr>,
        into: &Self,
        to: impl AsRef<OsStr>,
    ) -> Result<()> {
        let (from, to) = (from.as_ref(), to.as_ref());
        self.rename(from, into, to, RenameFlags::NOREPLACE)
    }

    /// Lets `from` of this directory and `to` of another change places, both of which exist: no name is added,
    /// so that no space is needed.
    pub fn rename_exchange(
        &self,
        from: impl AsRef<OsStr>,
        into: &Self,
        to: impl AsRef<OsStr>,
    ) -> Result<()> {
        let (from, to) = (from.as_ref(), to.as_ref());
        self.rename(from, into, to, RenameFlags::EXCHANGE)
    }

    /// Returns a second descriptor of the same directory.
    pub fn duplicate(&self) -> Result<Self> {
        let fd = self.fd.as_fd().try_clone_to_owned();
        let fd = fd.doing(|| format!("open the directory {}", self.path.display()))?;
        Ok(Self { fd, path: self.path.clone() })
    }

    /// Waits until the directory itself, which is the names in it, is on the disk.
    pub fn sync(&self) -> Result<()> {
        rustix::fs::fsync(&self.fd).doing(|| format!("write {} to the disk", self.path.display()))
    }

    /// Returns the path that the directory had when it was opened. It is for messages and for calls that know
    /// paths only.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of `name`, for messages and for calls that know paths only.
    pub fn path_of(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.path.join(name.as_ref())
    }

    /// Opens `name` without ever leaving the directory.
    fn lookup(
        &self,
        name: &OsStr,
        flags: OFlags,
        mode: Mode,
        restrictions: ResolveFlags,
    ) -> Result<OwnedFd, Errno> {
        let name = name::checked(name)?;
        let look = || rustix::fs::openat2(&self.fd, name, flags, mode, BENEATH | restrictions);
        settled(MOVED_AWAY, look)
    }

    /// Opens what is two names away, which is one question instead of two.
    fn lookup_in(
        &self,
        within: &str,
        name: &str,
        flags: OFlags,
        mode: Mode,
    ) -> Result<OwnedFd, Errno> {
        let (within, name) = (name::checked(within.as_ref())?, name::checked(name.as_ref())?);
        let path = Path::new(within).join(name);
        settled(MOVED_AWAY, || rustix::fs::openat2(&self.fd, &path, flags, mode, BENEATH))
    }

    fn stat(&self, name: &OsStr) -> Result<rustix::fs::Stat, Errno> {
        rustix::fs::statat(&self.fd, name::checked(name)?, AtFlags::SYMLINK_NOFOLLOW)
    }

    fn list(&self) -> Result<Vec<OsString>, Errno> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.fd)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(OsStr::from_bytes(name).to_owned());
            }
        }
        Ok(names)
    }

    fn rename(&self, from: &OsStr, into: &Self, to: &OsStr, flags: RenameFlags) -> Result<()> {
        let doing =
            || format!("rename {} to {}", self.path_of(from).display(), into.path_of(to).display());
        let from = name::checked(from).doing(doing)?;
        let to = name::checked(to).doing(doing)?;
        rustix::fs::renameat_with(&self.fd, from, &into.fd, to, flags).doing(doing)
    }
}

/// Looks again as long as the kernel says `spoiled`, but not for ever.
fn settled(spoiled: Errno, look: impl Fn() -> Result<OwnedFd, Errno>) -> Result<OwnedFd, Errno> {
    let is_settled = |found: &Result<_, Errno>| found.as_ref().err() != Some(&spoiled);
    (1..LOOKUPS).map(|_| look()).find(is_settled).unwrap_or_else(&look)
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests;
