//! What is mounted where, as the kernel lists it in `mountinfo`.
//!
//! Reading and parsing are apart: the parser is a pure function over bytes. The table is a picture of one
//! moment; nobody keeps it.

mod escape;
mod options;
mod picture;
mod row;

use std::fmt;
use std::path::{Path, PathBuf};

pub use options::Options;
pub use picture::Picture;
pub use row::Row;

use super::device::DeviceNumber;
use super::failure::{Doing, Failure, Result};

/// The calling thread's view, and not the process's: the two differ when a thread has a mount namespace of its
/// own, as each privileged test has.
const MOUNTINFO: &str = "/proc/thread-self/mountinfo";

/// Everything that is mounted, in the kernel's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MountTable(Vec<Mount>);

/// One mount. Paths are exact bytes; the other texts are for comparing with names that we know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The kernel's number for this mount. It is used again after an unmount.
    pub id: u32,
    /// The mount on which this one lies.
    pub parent: u32,
    /// The device behind the file system; made up for btrfs.
    pub device: DeviceNumber,
    /// What part of the file system is mounted: `/` for all of it, the path inside it for a bind mount.
    pub root: PathBuf,
    /// Where it is mounted.
    pub at: PathBuf,
    /// Options of this mount alone, such as `ro`, `nosuid`, `relatime`.
    pub options: Options,
    /// The peer group into which mounts below this one propagate.
    pub shared: Option<u64>,
    /// The peer group from which mounts arrive.
    pub master: Option<u64>,
    /// The nearest peer group that sends here and can be seen from this process's root.
    pub propagate_from: Option<u64>,
    /// Whether it cannot be bind mounted.
    pub unbindable: bool,
    /// The file system's name, such as `xfs`.
    pub fs_type: String,
    /// What was mounted: a device for the usual file systems, anything for the others.
    pub source: String,
    /// Options of the file system, shared by all its mounts.
    pub super_options: Options,
}

// === impl MountTable ===

impl MountTable {
    /// Reads what the calling thread sees.
    pub fn read() -> Result<Self> {
        Self::read_those(|_| true)
    }

    /// Reads those rows of it that somebody wants to see: most calls are about one device or path of thousands.
    pub fn read_those(wanted: impl Fn(&Row<'_>) -> bool) -> Result<Self> {
        let text = std::fs::read(MOUNTINFO).doing(|| format!("read {MOUNTINFO}"))?;
        Self::parse_those(&text, wanted)
    }

    /// Parses the text of a `mountinfo` file.
    pub fn parse(text: impl AsRef<[u8]>) -> Result<Self> {
        Self::parse_those(text.as_ref(), |_| true)
    }

    fn parse_those(text: &[u8], wanted: impl Fn(&Row<'_>) -> bool) -> Result<Self> {
        let lines = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        let mounts = lines.filter_map(|line| {
            let row = Row::of(line);
            let mount = row.and_then(|row| wanted(&row).then(|| row.to_mount()).transpose());
            let wrong = |what| {
                let line = String::from_utf8_lossy(line);
                Failure::refused("understand the mount table", format!("no {what} in {line:?}"))
            };
            mount.map_err(wrong).transpose()
        });
        mounts.collect::<Result<_>>().map(Self)
    }

    /// Returns all mounts in the kernel's order.
    pub fn iter(&self) -> std::slice::Iter<'_, Mount> {
        self.0.iter()
    }

    /// Returns the mount that one sees at exactly `path`: the topmost of those stacked there.
    ///
    /// That is the one on which none of the others lies. The order alone would do nearly always, but a mount
    /// that arrives by propagation is slipped *beneath* one that is already there.
    pub fn at(&self, path: &Path) -> Option<&Mount> {
        let stacked = self.stacked_at(path);
        let covered = |mount: &Mount| stacked.iter().any(|other| other.parent == mount.id);
        stacked.iter().rev().copied().find(|mount| !covered(mount))
    }

    /// Returns all mounts stacked at exactly `path`.
    pub fn stacked_at(&self, path: &Path) -> Vec<&Mount> {
        self.iter().filter(|mount| mount.at == path).collect()
    }
}

impl<'a> IntoIterator for &'a MountTable {
    type Item = &'a Mount;
    type IntoIter = std::slice::Iter<'a, Mount>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

// === impl Mount ===

impl Mount {
    /// Says whether nothing can be written through this mount, whether the mount or its file system forbids it.
    pub fn is_read_only(&self) -> bool {
        self.options.has("ro") || self.super_options.has("ro")
    }

    /// Says whether the file system takes no writes, through whatever mount: it was mounted read-only, or has met an
    /// error, which newer kernels show by words of their own.
    pub fn is_stopped(&self) -> bool {
        ["ro", "emergency_ro", "shutdown"].iter().any(|word| self.super_options.has(word))
    }
}

impl fmt::Display for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.source, self.at.display())
    }
}

#[cfg(test)]
mod tests;
