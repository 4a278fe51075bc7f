//! The file behind a loop device: how a caller names it, and how the kernel does.

use std::fmt;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};

use crate::sys::failure::{Doing, Result};

/// A file to attach or to look for, by its path or as an open file.
#[derive(Clone, Copy, Debug)]
pub enum Image<'a> {
    /// The file at this path; links are followed.
    Path(&'a Path),
    /// The file that is open here, wherever its name leads by now.
    File(&'a File),
}

/// Which file backs a loop device: the numbers that stay the same when it is renamed, and that no other file
/// has as long as it exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Backing {
    /// The number of the file system's device.
    pub dev: u64,
    /// The number of the file in it.
    pub ino: u64,
}

// === impl Backing ===

impl Backing {
    /// Returns the numbers of a file, given by path or open.
    pub fn of<'a>(image: impl Into<Image<'a>>) -> Result<Self> {
        let image = image.into();
        let stat = match image {
            Image::Path(path) => rustix::fs::stat(path),
            Image::File(file) => rustix::fs::fstat(file),
        };
        let stat = stat.doing(|| format!("look at {image}"))?;
        Ok(Self { dev: stat.st_dev, ino: stat.st_ino })
    }
}

impl fmt::Display for Backing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "file {} on device {}", self.ino, crate::sys::DeviceNumber::from(self.dev))
    }
}

// === impl Image ===

impl Image<'_> {
    /// Opens the file anew, for reading or for both, so that nothing is shared with the caller's descriptor: a
    /// loop device keeps the one it is given, with its locks, for as long as it lives.
    pub(super) fn open(self, read_only: bool) -> Result<File> {
        let access = if read_only { OFlags::RDONLY } else { OFlags::RDWR };
        let path = match self {
            Self::Path(path) => path.to_owned(),
            Self::File(file) => PathBuf::from(format!("/proc/thread-self/fd/{}", file.as_raw_fd())),
        };
        let file = rustix::fs::openat(CWD, path, access | OFlags::CLOEXEC, Mode::empty());
        file.map(File::from).doing(|| format!("open {self}"))
    }
}

impl fmt::Display for Image<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            // The name it had when it was opened says more than a number, and is only for people.
            Self::File(file) => {
                let link = format!("/proc/thread-self/fd/{}", file.as_raw_fd());
                match std::fs::read_link(link) {
                    Ok(path) => path.display().fmt(f),
                    Err(_) => f.write_str("an open file"),
                }
            }
        }
    }
}

impl<'a> From<&'a Path> for Image<'a> {
    fn from(path: &'a Path) -> Self {
        Self::Path(path)
    }
}

impl<'a> From<&'a PathBuf> for Image<'a> {
    fn from(path: &'a PathBuf) -> Self {
        Self::Path(path)
    }
}

impl<'a> From<&'a File> for Image<'a> {
    fn from(file: &'a File) -> Self {
        Self::File(file)
    }
}
