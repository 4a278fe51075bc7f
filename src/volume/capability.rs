//! A volume capability: how a volume is to be used.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Bytes, Content, FsType};
use crate::csi::v1;
use crate::csi::v1::volume_capability::AccessType;
use crate::csi::v1::volume_capability::access_mode::Mode;
use crate::error::{Error, Result};

/// All mount flags together may have no more bytes than this.
const MOST_FLAGS: usize = 4096;

/// How a volume is to be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capability {
    /// Nothing for raw blocks.
    pub mount: Option<MountWish>,
    /// By whom and for what.
    pub mode: AccessMode,
}

/// How a volume's file system is to be mounted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MountWish {
    /// The file system; nothing matches any.
    pub fs_type: Option<FsType>,
    /// The mount flags, as the class or the pod has them.
    pub flags: Vec<String>,
}

/// The access modes of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the contract's own")]
pub enum AccessMode {
    SingleNodeWriter,
    SingleNodeReaderOnly,
    SingleNodeSingleWriter,
    SingleNodeMultiWriter,
    MultiNodeReaderOnly,
    MultiNodeSingleWriter,
    MultiNodeMultiWriter,
}

// === impl Capability ===

impl Capability {
    /// Reads the required capability of a request.
    pub fn required(capability: Option<&v1::VolumeCapability>) -> Result<Self> {
        let capability =
            capability.ok_or_else(|| Error::invalid("volume_capability", "is required"))?;
        let mount = match &capability.access_type {
            Some(AccessType::Block(_)) => None,
            Some(AccessType::Mount(mount)) => Some(MountWish::of_csi(mount)?),
            None => {
                return Err(Error::invalid(
                    "volume_capability",
                    "needs an access type: mount or block",
                ));
            }
        };
        let mode = capability.access_mode.map(|mode| mode.mode());
        Ok(Self { mount, mode: AccessMode::of_csi(mode)? })
    }

    /// Checks that a volume with this content can be used as a request says, if it says how.
    pub fn fits_if_named(
        capability: Option<&v1::VolumeCapability>,
        content: Content,
    ) -> Result<()> {
        let Some(capability) = capability else { return Ok(()) };
        match Self::required(Some(capability))?.mismatch(content) {
            Some(how) => Err(Error::invalid("volume_capability", how)),
            None => Ok(()),
        }
    }

    /// Reads the required list of capabilities of a request.
    pub fn required_list(capabilities: &[v1::VolumeCapability]) -> Result<Vec<Self>> {
        if capabilities.is_empty() {
            return Err(Error::invalid("volume_capabilities", "needs at least one"));
        }
        capabilities.iter().map(|capability| Self::required(Some(capability))).collect()
    }

    /// Returns the content that the list names: nothing when it leaves the file system open.
    pub fn named_content(capabilities: &[Self]) -> Result<Option<Content>> {
        let field = "volume_capabilities";
        let mounts: Vec<_> = capabilities.iter().filter_map(|one| one.mount.as_ref()).collect();
        if mounts.is_empty() {
            return Ok(Some(Content::Block));
        }
        if mounts.len() < capabilities.len() {
            let reason = "mount and block cannot both be had from one volume: ask for one of them";
            return Err(Error::invalid(field, reason));
        }
        let mut named = mounts.iter().filter_map(|mount| mount.fs_type);
        let Some(first) = named.next() else { return Ok(None) };
        if named.any(|other| other != first) {
            return Err(Error::invalid(field, "name different file systems: ask for one of them"));
        }
        Ok(Some(Content::FileSystem(first)))
    }

    /// Returns the content of a new volume that serves every capability of the list.
    ///
    /// Where none names a file system it is XFS, or ext4 when the size asked for is too small for XFS.
    pub fn content(capabilities: &[Self], size: Bytes, least_xfs: Bytes) -> Result<Content> {
        let default = if size < least_xfs { FsType::Ext4 } else { FsType::Xfs };
        Ok(Self::named_content(capabilities)?.unwrap_or(Content::FileSystem(default)))
    }

    /// Returns why a volume with this content cannot be used so, or nothing when it can.
    pub fn mismatch(&self, content: Content) -> Option<String> {
        match (&self.mount, content) {
            (None, Content::Block) => None,
            (None, Content::FileSystem(fs)) => Some(format!("it holds {fs}, not raw blocks")),
            (Some(_), Content::Block) => Some("it holds raw blocks, not a file system".to_owned()),
            (Some(mount), Content::FileSystem(fs)) => match mount.fs_type {
                Some(wanted) if wanted != fs => Some(format!("it holds {fs}, not {wanted}")),
                _ => None,
            },
        }
    }
}

// === impl MountWish ===

impl MountWish {
    fn of_csi(mount: &v1::volume_capability::MountVolume) -> Result<Self> {
        let fs_type = match mount.fs_type.as_str() {
            "" => None,
            name => Some(FsType::from_str(name).map_err(|mistake| {
                Error::invalid("volume_capability.mount.fs_type", mistake.to_string())
            })?),
        };
        let total: usize = mount.mount_flags.iter().map(String::len).sum();
        if total > MOST_FLAGS {
            let reason = format!("have {total} bytes, more than the {MOST_FLAGS} that CSI allows");
            return Err(Error::invalid("volume_capability.mount.mount_flags", reason));
        }
        // `-o a,b` and two flags are the same wish.
        let flags = mount.mount_flags.iter().flat_map(|flags| flags.split(','));
        let flags =
            flags.map(str::trim).filter(|flag| !flag.is_empty()).map(str::to_owned).collect();
        Ok(Self { fs_type, flags })
    }
}

// === impl AccessMode ===

impl AccessMode {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::SingleNodeWriter,
        Self::SingleNodeReaderOnly,
        Self::SingleNodeSingleWriter,
        Self::SingleNodeMultiWriter,
        Self::MultiNodeReaderOnly,
        Self::MultiNodeSingleWriter,
        Self::MultiNodeMultiWriter,
    ];

    fn of_csi(mode: Option<Mode>) -> Result<Self> {
        match mode {
            Some(Mode::SingleNodeWriter) => Ok(Self::SingleNodeWriter),
            Some(Mode::SingleNodeReaderOnly) => Ok(Self::SingleNodeReaderOnly),
            Some(Mode::SingleNodeSingleWriter) => Ok(Self::SingleNodeSingleWriter),
            Some(Mode::SingleNodeMultiWriter) => Ok(Self::SingleNodeMultiWriter),
            Some(Mode::MultiNodeReaderOnly) => Ok(Self::MultiNodeReaderOnly),
            Some(Mode::MultiNodeSingleWriter) => Ok(Self::MultiNodeSingleWriter),
            Some(Mode::MultiNodeMultiWriter) => Ok(Self::MultiNodeMultiWriter),
            Some(Mode::Unknown) | None => Err(Error::invalid(
                "volume_capability.access_mode",
                "is required, and one that CSI 1.13 knows",
            )),
        }
    }

    /// Returns whether the volume may be attached to several nodes at once.
    pub fn is_multi_node(self) -> bool {
        matches!(
            self,
            Self::MultiNodeReaderOnly | Self::MultiNodeSingleWriter | Self::MultiNodeMultiWriter
        )
    }

    /// Returns whether the volume may be published at several paths of one node.
    pub fn allows_many_paths(self) -> bool {
        self.is_multi_node() || self == Self::SingleNodeMultiWriter
    }

    /// Returns whether nobody may write.
    pub fn is_read_only(self) -> bool {
        matches!(self, Self::SingleNodeReaderOnly | Self::MultiNodeReaderOnly)
    }
}

impl fmt::Display for AccessMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The names are the contract's own.
        fmt::Debug::fmt(self, f)
    }
}
