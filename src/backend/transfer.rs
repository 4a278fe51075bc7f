//! Images from outside that become volumes, and images of volumes that leave the pool.

use std::fmt;
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use crate::error::Result;
use crate::volume::{Name, Source, Volume};

/// A pool that takes images in and gives images out.
#[async_trait]
pub trait Transfer: fmt::Debug + Send + Sync {
    /// Makes a volume of a file that nobody uses, and whose file system can be mounted as volumes are.
    ///
    /// The file stays as it is, unless it is to be moved: then it is removed when the volume is real. Until that
    /// instant it is whole, whatever happens. `Differs` when there is a volume of that name; `Unfit` says why the
    /// file cannot be one.
    async fn import(&self, wanted: &Import) -> Result<Imported>;

    /// Writes what the volume or snapshot holds to a new file, which appears when it is whole. A file that is there
    /// already is replaced only with `force`. `InUse` while the volume is a device.
    async fn export(&self, source: &Source, to: &Path, force: bool) -> Result<()>;
}

/// The wish for a volume made from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The CSI name that the volume shall have.
    pub name: Name,
    /// The file, by an absolute path.
    pub file: PathBuf,
    /// Whether the file goes, and its file system keeps its UUID.
    pub moved: bool,
    /// Whether the volume is raw blocks, whatever is in them.
    pub raw: bool,
}

/// A volume made from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The volume.
    pub volume: Volume,
    /// Why a file that was to be moved is still there.
    pub left: Option<String>,
}
