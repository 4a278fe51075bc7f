//! What of the host pods may have: as users say it and admins allow it, in the words of Kubernetes.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

/// A type of hostPath.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[expect(missing_docs, reason = "the names are those of Kubernetes")]
pub enum HostPathType {
    DirectoryOrCreate,
    Directory,
    FileOrCreate,
    File,
    Socket,
    CharDevice,
    BlockDevice,
}

/// A part of the host that pods may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPathPrefix {
    /// The directory.
    pub path: PathBuf,
    /// The namespaces whose pods may; `*` is any.
    pub namespaces: Vec<String>,
    /// As what.
    pub types: Vec<HostPathType>,
    /// Whether nobody may write, whatever the pod says.
    pub read_only: bool,
    /// Whether a pod may ask that links are followed, as long as they stay in the prefix.
    pub follow_symlinks: bool,
}

// === impl HostPathType ===

impl HostPathType {
    /// Every one.
    pub const ALL: [Self; 7] = [
        Self::DirectoryOrCreate,
        Self::Directory,
        Self::FileOrCreate,
        Self::File,
        Self::Socket,
        Self::CharDevice,
        Self::BlockDevice,
    ];

    /// Returns what it is once it is there.
    #[must_use]
    pub fn found(self) -> Self {
        match self {
            Self::DirectoryOrCreate => Self::Directory,
            Self::FileOrCreate => Self::File,
            other @ (Self::Directory
            | Self::File
            | Self::Socket
            | Self::CharDevice
            | Self::BlockDevice) => other,
        }
    }

    /// Says whether it is a device of the host.
    pub fn is_device(self) -> bool {
        matches!(self, Self::CharDevice | Self::BlockDevice)
    }
}

impl fmt::Display for HostPathType {
    /// Writes it as Kubernetes' own messages do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DirectoryOrCreate | Self::Directory => "directory",
            Self::FileOrCreate | Self::File => "file",
            Self::Socket => "socket file",
            Self::CharDevice => "character device",
            Self::BlockDevice => "block device",
        })
    }
}
