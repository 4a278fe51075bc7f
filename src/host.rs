//! What the Node service asks of the node it runs on: mounts.
//!
//! [`kernel::Kernel`] asks Linux; [`simulated::Simulated`] is the node of the memory backend and needs no
//! rights. Neither remembers anything that the node itself could tell.

pub mod kernel;
mod pod;
pub mod simulated;
mod target;

use std::fmt;
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use crate::backend::{Device, Ensured};
use crate::error::{Error, Result};
use crate::sys;
use crate::sys::device::DeviceNumber;
use crate::volume::{Bytes, FsType, Limits};

/// The mounts of a node.
#[async_trait]
pub trait Host: fmt::Debug + Send + Sync + 'static {
    /// Returns the path as this host's other answers have it: links in its parents resolved, its last component
    /// as it is. A path whose parent does not exist is returned unchanged.
    async fn resolve(&self, path: PathBuf) -> PathBuf;

    /// Returns every place where the device is mounted or its node is bound, and what is mounted topmost at
    /// exactly each of these resolved paths. Others may mount and unmount meanwhile.
    async fn sight(&self, device: Option<&Device>, paths: &[&Path]) -> Result<Sight>;

    /// Mounts the device's file system at an existing directory.
    async fn mount(&self, device: &Device, fs: FsType, at: &Path, options: &Options) -> Result<()>;

    /// Makes what is mounted at `from` visible at `to`, read-only from the first instant if asked. Creates `to`,
    /// whose parent exists; an error takes it away again.
    async fn bind_directory(&self, from: &Path, to: &Path, options: &Options) -> Result<()>;

    /// Makes the device's node visible at `to`, which is created as a file; an error takes it away again.
    async fn bind_device(&self, device: &Device, to: &Path, read_only: bool) -> Result<()>;

    /// Succeeds when nothing is mounted at the path; the path itself stays.
    async fn unmount(&self, path: &Path) -> Result<Ensured<()>>;

    /// Returns the image behind the loop device of the place, as the kernel names it, or nothing.
    async fn image_behind(&self, place: &Place) -> Option<PathBuf>;

    /// Removes a publish target, file or empty directory, at which nothing is mounted; succeeds when there is none.
    async fn remove_target(&self, path: &Path) -> Result<()>;

    /// Grows the file system mounted at the path to its device.
    async fn grow(&self, at: &Path, fs: FsType) -> Result<()>;

    /// Returns how full the file system at the path is.
    async fn usage(&self, at: &Path) -> Result<Usage>;

    /// Lets every pod that sees the device read and write it no faster than the limits say, and says how long that
    /// holds. Without limits, nothing holds them up any more.
    async fn limit(&self, device: &Device, limits: &Limits) -> Result<Enforcement>;

    /// Looks whether the limits hold as [`Host::limit`] would make them, and changes nothing: nothing is returned
    /// when there is something to change.
    async fn holds(&self, device: &Device, limits: &Limits) -> Result<Option<Enforcement>>;

    /// Removes what limits the device for the pod whose publish target this was: the device's number will be
    /// another device's.
    async fn unlimit(&self, device: DeviceNumber, target: &Path) -> Result<()>;

    /// Succeeds when this node can enforce limits at all; the error says what is missing. Quick, and takes no lock.
    async fn can_limit(&self) -> Result<()>;
}

/// How to mount.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// Nobody may write.
    pub read_only: bool,
    /// Flags for the kernel, one by one.
    pub flags: Vec<String>,
}

/// A place where a volume is visible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The mount point.
    pub at: PathBuf,
    /// The device whose file system is mounted there or whose node is bound there.
    pub device: Option<DeviceNumber>,
    /// What is mounted there, in words.
    pub what: String,
    /// Whether this mount is read-only.
    pub read_only: bool,
    /// Whether the file system itself takes no writes, as after an error, though this mount would.
    pub is_stuck: bool,
    /// What else this mount shows of itself: `noatime`, `noexec` and the like.
    pub flags: Vec<String>,
    /// Whether a device node is bound there, rather than a file system mounted.
    pub is_node: bool,
}

// === impl Sight ===

impl Sight {
    /// Returns what is topmost at one of the paths that were asked for.
    pub fn at(&self, path: &Path) -> Option<&Place> {
        self.topmost.iter().find(|place| place.at == path)
    }
}

// === impl Place ===

impl Place {
    /// Returns in what this place is not as wanted, in words, or nothing when it is.
    ///
    /// Only what every mount shows of itself is compared: options of a file system read back in many ways.
    pub fn difference(&self, wanted: &Options) -> Option<String> {
        match (self.read_only, wanted.read_only) {
            (true, false) => return Some("read-only".to_owned()),
            (false, true) => return Some("writable".to_owned()),
            (true, true) | (false, false) => {}
        }
        let shown = |flag: &&str| self.flags.iter().any(|has| has == flag);
        // These two are shown by the absence of others.
        let silent = ["ro", "strictatime"];
        let asked = sys::mount::vfs_flags(&wanted.flags).into_iter();
        let unmet = asked.filter(|flag| !silent.contains(flag)).find(|flag| !shown(flag));
        unmet.filter(|_| !self.is_node).map(|flag| format!("without {flag}"))
    }

    /// Says that the file system has stopped taking writes, if it has.
    pub fn takes_writes(&self) -> Result<()> {
        if !self.is_stuck {
            return Ok(());
        }
        let at = self.at.display();
        Err(Error::unfit(format!(
            "the file system at {at} turned read-only after an error; unpublish and unstage it, then stage it again"
        )))
    }
}

/// How well limits hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enforcement {
    /// For all that the pods do from now on.
    Lasting,
    /// For the containers that the pods have now: those that they start later have to be limited, too.
    ForNow,
    /// Not yet for all pods, and why.
    Missing(String),
}

/// What a node has of a device, and at some paths.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sight {
    /// Every place of the device.
    pub of_device: Vec<Place>,
    /// What is topmost at those of the paths at which anything is mounted.
    pub topmost: Vec<Place>,
}

/// How full a file system is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Usage {
    pub total: Bytes,
    pub used: Bytes,
    pub available: Bytes,
    pub inodes: u64,
    pub inodes_used: u64,
    pub inodes_free: u64,
}
