//! One group: a directory of a hierarchy.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{IoMax, Version, throttle};
use crate::sys::device::DeviceNumber;
use crate::sys::failure::{Doing, Result};

const IO_MAX: &str = "io.max";

/// A group of processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub(super) dir: PathBuf,
    pub(super) version: Version,
    /// The group's hierarchy: where it is mounted.
    pub(super) root: PathBuf,
}

// === impl Group ===

impl Group {
    /// Returns the group's directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the group's path in its hierarchy.
    pub fn path(&self) -> &Path {
        self.dir.strip_prefix(&self.root).unwrap_or(Path::new(""))
    }

    /// Returns which version its hierarchy is of.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Returns the device's limits in this group. A group that is gone, or that nobody may limit yet, has none.
    pub fn limits(&self, device: DeviceNumber) -> Result<IoMax> {
        match self.version {
            Version::V2 => Ok(IoMax::parse(&self.read(IO_MAX)?, device)),
            Version::V1 => {
                let mut all = IoMax::default();
                for file in &throttle::FILES {
                    *(file.of)(&mut all) = throttle::parse(&self.read(file.name)?, device);
                }
                Ok(all)
            }
        }
    }

    /// Sees to it that the device has exactly these limits in this group, and says whether that took anything.
    pub fn limit(&self, device: DeviceNumber, wanted: IoMax) -> Result<bool> {
        let now = self.limits(device)?;
        if now == wanted {
            return Ok(false);
        }
        match self.change(device, now, wanted) {
            // Who was in it has ended.
            Err(_) if !self.dir.exists() => Ok(false),
            answer => answer.map(|()| true),
        }
    }

    fn change(&self, device: DeviceNumber, mut now: IoMax, mut wanted: IoMax) -> Result<()> {
        match self.version {
            Version::V2 => {
                if !self.dir.join(IO_MAX).exists() {
                    self.let_io_be_limited()?;
                }
                write(&self.dir, IO_MAX, &wanted.line(device))?;
            }
            Version::V1 => {
                for file in &throttle::FILES {
                    let limit = *(file.of)(&mut wanted);
                    if *(file.of)(&mut now) != limit {
                        write(&self.dir, file.name, &throttle::line(limit, device))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns the groups below this one.
    pub fn below(&self) -> Vec<Self> {
        let mut found = Vec::new();
        let mut open = vec![self.dir.clone()];
        while let Some(dir) = open.pop() {
            for dir in subdirectories(&dir) {
                open.push(dir.clone());
                found.push(Self { dir, version: self.version, root: self.root.clone() });
            }
        }
        found
    }

    /// Has every group around this one pass the `io` controller on, from the outermost inwards, as whoever made the
    /// groups does for the controllers that it uses itself.
    fn let_io_be_limited(&self) -> Result<()> {
        let around = self.dir.ancestors().skip(1).take_while(|dir| dir.starts_with(&self.root));
        let mut around: Vec<_> = around.collect();
        around.reverse();
        for dir in around {
            let passed = read(dir, "cgroup.subtree_control")?;
            if !passed.split_whitespace().any(|name| name == "io") {
                write(dir, "cgroup.subtree_control", "+io")?;
            }
        }
        Ok(())
    }

    fn read(&self, name: &str) -> Result<String> {
        read(&self.dir, name)
    }
}

/// Returns the directories in a directory; one that is gone has none.
pub(super) fn subdirectories(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().filter_map(std::result::Result::ok);
    let is_dir = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    entries.filter(is_dir).map(|entry| entry.path()).collect()
}

/// Reads a file of a group; one that is gone holds nothing.
fn read(dir: &Path, name: &str) -> Result<String> {
    let path = dir.join(name);
    match fs::read_to_string(&path) {
        Err(error) if is_gone(&error) => Ok(String::new()),
        answer => answer.doing(|| format!("read {}", path.display())),
    }
}

/// Writes in one call, which is how the kernel takes a line.
fn write(dir: &Path, name: &str, line: &str) -> Result<()> {
    let path = dir.join(name);
    fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .and_then(|mut file| io::Write::write_all(&mut file, line.as_bytes()))
        .doing(|| format!("write {line:?} to {}", path.display()))
}

/// A group can go at any instant: its files are then missing, or an open one has no device behind it.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(nix::libc::ENODEV)
}
