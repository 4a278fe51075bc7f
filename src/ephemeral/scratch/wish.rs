//! The attributes of an emptyDir.

use std::fmt;
use std::num::NonZero;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};

use super::disk::{Disk, Has};
use super::{Backing, Settings, Squota, memory};
use crate::ephemeral::{Flag, InlineVolume, Mode};
use crate::error::{Error, Result};
use crate::fs::least_size;
use crate::volume::{Bytes, FsType, quantity};

/// What is asked for, with nothing left to decide.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) backing: Backing,
    /// Of the directory, before the group is added.
    pub(super) mode: u32,
    /// Of the mount.
    pub(super) flags: Vec<String>,
}

/// As the user writes them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Entries {
    #[serde(default)]
    medium: Medium,
    #[serde(default, deserialize_with = "size")]
    size_limit: Option<Bytes>,
    #[serde(default, deserialize_with = "inodes")]
    inode_limit: Option<u32>,
    mode: Option<Mode>,
    #[serde(default)]
    enforcement: Enforcement,
    exec: Option<Flag>,
    suid: Option<Flag>,
    dev: Option<Flag>,
}

/// What keeps the limit of one on the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Enforcement {
    /// Whatever does.
    #[default]
    Auto,
    /// A file system of its own.
    Loop,
    /// A quota of btrfs.
    Squota,
    /// Nobody.
    None,
}

/// What the content is kept in, as Kubernetes has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Medium {
    #[default]
    Default,
    Memory,
    /// Of the node's usual size, or of this one.
    HugePages(Option<Bytes>),
}

/// The most files that can be asked for.
const MOST_INODES: u32 = 1 << 31;

/// The bits that a mode may have: set-user-id and set-group-id mean nothing here.
const MODE_BITS: u32 = 0o1777;

// === impl Wish ===

impl Wish {
    /// Reads what is asked for. Where several things could keep the limit, the disk tells which.
    pub(super) fn read(volume: &InlineVolume, settings: &Settings, disk: &Disk) -> Result<Self> {
        let entries: Entries = volume.attributes.read()?;
        let backing = entries.backing(volume, settings, disk)?;
        let usual = match backing {
            // What in-tree has, too: the kernel's own for a tmpfs.
            Backing::Memory { .. } => 0o1777,
            Backing::Image { .. }
            | Backing::Subvolume { .. }
            | Backing::Directory
            | Backing::HugePages { .. } => 0o777,
        };
        let mode = entries.mode.map_or(usual, |mode| mode.0);
        if mode & !MODE_BITS != 0 {
            return Err(invalid("mode: must be from 0 to 01777"));
        }
        Ok(Self { backing, mode, flags: entries.flags(settings)? })
    }
}

// === impl Entries ===

impl Entries {
    fn backing(&self, volume: &InlineVolume, settings: &Settings, disk: &Disk) -> Result<Backing> {
        // 0 is no limit in-tree, and none is taken for the default here.
        let limit = self.size_limit.filter(|size| *size != Bytes::ZERO);
        if let (Some(limit), Some(most)) = (limit, settings.max_size)
            && limit > most
        {
            let reason = format!(
                "sizeLimit: {limit} is more than {most}, which roles.scratch.maxSize allows"
            );
            return Err(invalid(reason));
        }
        let inodes = self.inode_limit;
        match self.medium {
            Medium::Default if self.enforcement == Enforcement::None => {
                self.without_limit(limit, settings)
            }
            Medium::Default if self.is_by_quota(volume, settings, disk)? => {
                Ok(Backing::Subvolume { size: limit.unwrap_or(settings.default_size) })
            }
            Medium::Default => self.in_image(limit, volume.fs_type.as_deref(), settings),
            Medium::Memory => {
                let usual = settings.max_size.unwrap_or(Bytes(u64::MAX)).min(memory::half());
                Ok(Backing::Memory { size: limit.unwrap_or(usual), inodes })
            }
            Medium::HugePages(page) => {
                let page = memory::page_size(page)?;
                if let Some(limit) = limit.filter(|limit| !limit.0.is_multiple_of(page.0)) {
                    let reason =
                        format!("sizeLimit: {limit} is no multiple of the page size, {page}");
                    return Err(invalid(reason));
                }
                Ok(Backing::HugePages { page, size: limit, inodes })
            }
        }
    }

    fn without_limit(&self, limit: Option<Bytes>, settings: &Settings) -> Result<Backing> {
        if !settings.allows_no_limit {
            return Err(Error::unfit(
                "enforcement: none is not allowed on this node: roles.scratch.allow in the config lacks noLimit",
            ));
        }
        if limit.is_some() || self.inode_limit.is_some() {
            return Err(invalid(
                "enforcement: none keeps no limit; leave sizeLimit and inodeLimit out",
            ));
        }
        Ok(Backing::Directory)
    }

    /// Decides whether a quota keeps the limit. Without a word from the user it does so wherever it can.
    fn is_by_quota(&self, volume: &InlineVolume, settings: &Settings, disk: &Disk) -> Result<bool> {
        // A quota knows bytes only, and the file system is the one that is there.
        let wants_more = volume.fs_type.is_some() || self.inode_limit.is_some();
        let is_allowed = settings.squota == Squota::Allowed;
        let no_quotas = || {
            let why = disk.no_quotas();
            why.map_err(|why| Error::internal("look which quotas there are", why))
        };
        match self.enforcement {
            Enforcement::Loop | Enforcement::None => Ok(false),
            Enforcement::Auto if wants_more => Ok(false),
            Enforcement::Auto => match disk.has(&volume.id)? {
                Has::Image => Ok(false),
                Has::Subvolume => Ok(true),
                Has::Nothing => Ok(is_allowed && no_quotas()?.is_none()),
            },
            Enforcement::Squota if wants_more => Err(invalid(
                "enforcement: squota limits bytes only; leave inodeLimit and fsType out",
            )),
            Enforcement::Squota if !is_allowed => Err(Error::unfit(
                "enforcement: squota is not allowed on this node: roles.scratch.allow in the config lacks squota",
            )),
            Enforcement::Squota => match no_quotas()? {
                None => Ok(true),
                Some(why) => Err(Error::unfit(format!("enforcement: squota: {why}"))),
            },
        }
    }

    fn in_image(
        &self,
        limit: Option<Bytes>,
        fs_type: Option<&str>,
        settings: &Settings,
    ) -> Result<Backing> {
        let wrong = || Error::invalid("volume_capability", "fsType: there is ext4, xfs, btrfs");
        let fs = fs_type.map(FsType::from_str).transpose().ok().ok_or_else(wrong)?;
        let fs = fs.unwrap_or(FsType::Ext4);
        let inodes = self.inode_limit;
        if inodes.is_some() && fs != FsType::Ext4 {
            return Err(invalid(format!(
                "inodeLimit: {fs} has none; ext4, which is the default, has"
            )));
        }
        let size = limit.unwrap_or(settings.default_size);
        let least = least_size(fs);
        if size < least && fs != FsType::Ext4 {
            return Err(invalid(format!(
                "sizeLimit: {fs} cannot be smaller than {least}; ext4 can"
            )));
        }
        Ok(Backing::Image { size, inodes, fs })
    }

    /// Returns the flags of the mount: what in-tree lets everybody do, but for programs, has to be allowed.
    fn flags(&self, settings: &Settings) -> Result<Vec<String>> {
        let is_on = |flag: Option<Flag>, usual| flag.map_or(usual, |flag| flag.0);
        let mut flags = Vec::new();
        for (key, name, is_on, allowed) in [
            ("exec", "noexec", is_on(self.exec, true), true),
            ("suid", "nosuid", is_on(self.suid, false), settings.allows_suid),
            ("dev", "nodev", is_on(self.dev, false), settings.allows_dev),
        ] {
            if is_on && !allowed {
                return Err(Error::forbidden(format!(
                    "{key} is not allowed on this node: roles.scratch.allow in the config lacks it"
                )));
            }
            if !is_on {
                flags.push(name.to_owned());
            }
        }
        Ok(flags)
    }
}

// === impl Medium ===

impl FromStr for Medium {
    type Err = NoMedium;

    fn from_str(text: &str) -> Result<Self, NoMedium> {
        match text {
            "" => Ok(Self::Default),
            "Memory" => Ok(Self::Memory),
            "HugePages" => Ok(Self::HugePages(None)),
            _ => {
                let page = text.strip_prefix("HugePages-").and_then(|page| quantity(page).ok());
                page.map(|page| Self::HugePages(Some(page))).ok_or(NoMedium)
            }
        }
    }
}

struct NoMedium;

impl fmt::Display for NoMedium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be \"\", Memory, HugePages or HugePages-<size>, such as HugePages-2Mi")
    }
}

impl<'de> Deserialize<'de> for Medium {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

fn size<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Bytes>, D::Error> {
    quantity(&String::deserialize(from)?).map(Some).map_err(de::Error::custom)
}

fn inodes<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
    let wrong = || de::Error::custom(format!("must be a whole number from 1 to {MOST_INODES}"));
    let number: NonZero<u32> = String::deserialize(from)?.parse().ok().ok_or_else(wrong)?;
    Some(number.get()).filter(|number| *number <= MOST_INODES).map(Some).ok_or_else(wrong)
}

fn invalid(reason: impl Into<String>) -> Error {
    Error::invalid("volume_attributes", reason)
}

#[cfg(test)]
mod tests;
