//! emptyDirs on the disk: each an image with a file system of its own, a subvolume with a quota, or a plain directory.
//!
//! An image that has its name is complete: it is formatted under another one. Its loop device goes with its last mount,
//! so that a driver that dies leaves none.

use std::fs::File;
use std::path::Path;

use rustix::fs::FlockOperation;

use super::not_made;
use super::quota::SUBVOLUME;
use crate::ephemeral::InlineId;
use crate::error::{Error, Result};
use crate::fault;
use crate::fs;
use crate::sys::Failure;
use crate::sys::beneath::{Dir, How};
use crate::sys::btrfs;
use crate::sys::loopdev::{self, AttachOptions};
use crate::sys::mount::{DetachedMount, MountOptions, Reach};
use crate::volume::{Bytes, FsType};

const IMAGE: &str = ".img";
/// An image that is being made.
const NEW: &str = ".new";

/// What mke2fs makes for whoever repairs the file system.
const LOST_FOUND: &str = "lost+found";

/// The least that a file system can be made in.
const LEAST: Bytes = Bytes::mib(1);

const BLOCK: u64 = 4096;

/// Every device that can be had is a device with small blocks.
const ATTACHED: AttachOptions =
    AttachOptions { read_only: false, block_size: 4096, direct_io: true, autoclear: true };

/// The directory of the images and directories.
#[derive(Debug)]
pub(super) struct Disk {
    dir: Dir,
}

/// What a volume with a limit has on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Has {
    Nothing,
    Image,
    Subvolume,
}

// === impl Disk ===

impl Disk {
    /// Opens the directory; it is made if there is none.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let open = || {
            let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
                return Dir::open(path);
            };
            Dir::open(parent)?.ensure_dir(name)
        };
        let dir = open().map_err(|why| Error::internal("open the directory of emptyDirs", why))?;
        Ok(Self { dir })
    }

    /// Returns the directory itself.
    pub(super) fn dir(&self) -> &Dir {
        &self.dir
    }

    /// Looks what the volume has here already. Its content stays where it is, whatever would be chosen today.
    pub(super) fn has(&self, id: &InlineId) -> Result<Has> {
        let looked = || {
            if self.dir.exists(format!("{id}{IMAGE}"))? {
                return Ok(Has::Image);
            }
            let is_there = self.dir.exists(format!("{id}{SUBVOLUME}"))?;
            Ok(if is_there { Has::Subvolume } else { Has::Nothing })
        };
        looked().map_err(|why: Failure| Error::internal("look for an emptyDir", why))
    }

    /// Makes the image, or takes the one that is there, and mounts it where nobody sees it.
    pub(super) async fn image(
        &self,
        id: &InlineId,
        size: Bytes,
        inodes: Option<u32>,
        fs: FsType,
        flags: &[String],
    ) -> Result<DetachedMount> {
        let name = format!("{id}{IMAGE}");
        let is_there = self.dir.exists(&name).map_err(not_made)?;
        if is_there {
            self.check(&name, fs).await?;
        } else {
            self.format(id, size, inodes, fs).await?;
        }
        let path = self.dir.path_of(&name);
        let attached = loopdev::attach(path.as_path(), ATTACHED).map_err(not_made)?;
        fault::point("scratch image attached");
        let mut flags = flags.to_vec();
        // What is deleted is given back to the disk.
        flags.push("discard".to_owned());
        if fs == FsType::Ext4 {
            flags.push("errors=remount-ro".to_owned());
        }
        let options = MountOptions { read_only: false, flags };
        let mount = DetachedMount::make(fs.as_str(), &attached.device.path, &options);
        let mount = mount.map_err(not_made)?;
        if !is_there && fs == FsType::Ext4 {
            // An emptyDir is empty.
            let root = Dir::of_opened(&mount).map_err(not_made)?;
            root.remove_empty_dir(LOST_FOUND).map_err(not_made)?;
        }
        Ok(mount)
    }

    /// Makes the directory, or takes the one that is there. On btrfs it is a subvolume: what a pod makes in it may be
    /// subvolumes again, which can only be removed all together.
    pub(super) fn directory(&self, id: &InlineId, flags: &[String]) -> Result<DetachedMount> {
        let made = || {
            if btrfs::is_btrfs(&self.dir)? && !self.dir.exists(id.as_str())? {
                btrfs::create(&self.dir, id.as_str(), None)?;
            }
            let dir = self.dir.ensure_dir(id.as_str())?;
            let options = MountOptions { read_only: false, flags: flags.to_vec() };
            DetachedMount::copy(&dir, &options, Reach::Alone)
        };
        made().map_err(not_made)
    }

    /// Removes whatever the volume has here. Links in it are not followed, and nothing that is mounted in it is touched.
    pub(super) fn remove(&self, id: &InlineId) -> Result<()> {
        let removed = || {
            self.dir.remove_file(format!("{id}{NEW}"))?;
            self.dir.remove_file(format!("{id}{IMAGE}"))?;
            self.remove_tree(id.as_str())?;
            self.remove_subvolume(id)
        };
        removed().map_err(|why| Error::internal("remove an emptyDir", why))
    }

    /// Removes a directory with everything in it, subvolumes as well, if it is there.
    pub(super) fn remove_tree(&self, name: &str) -> Result<(), Failure> {
        let is_btrfs = btrfs::is_btrfs(&self.dir)?;
        if is_btrfs { btrfs::remove(&self.dir, name) } else { self.dir.remove_tree(name) }.map(drop)
    }

    /// Returns the ids of all that is here.
    pub(super) fn all(&self) -> Result<Vec<InlineId>> {
        let names = self.dir.names();
        let names = names.map_err(|why| Error::internal("list the emptyDirs", why))?;
        let id = |name: &str| {
            let text = [IMAGE, NEW, SUBVOLUME].iter().find_map(|suffix| name.strip_suffix(suffix));
            InlineId::parse(text.unwrap_or(name))
        };
        Ok(names.iter().filter_map(|name| id(name.to_str()?)).collect())
    }

    async fn format(
        &self,
        id: &InlineId,
        size: Bytes,
        inodes: Option<u32>,
        fs: FsType,
    ) -> Result<()> {
        let new = format!("{id}{NEW}");
        self.dir.remove_file(&new).map_err(not_made)?;
        let file = self.dir.open_file(&new, How::CreateNew).map_err(not_made)?;
        let length = with_metadata(size, inodes, fs);
        file.set_len(length.0).map_err(|why| not_made(Failure::new("size an image", why)))?;
        fault::point("scratch image begun");
        // Nobody else works on it: what a killed driver has left is replaced by another file.
        let path = self.dir.path_of(&new);
        fs::format::scratch(&path, file.into(), fs, inodes).await?;
        fault::point("scratch image formatted");
        self.dir.rename_noreplace(&new, &self.dir, format!("{id}{IMAGE}")).map_err(not_made)
    }

    /// Brings a file system in order that was in use when the node went down.
    async fn check(&self, name: &str, fs: FsType) -> Result<()> {
        let file = self.dir.open_file(name, How::ReadWrite).map_err(not_made)?;
        // The program has the lock as long as it runs, whoever started it; attaching waits for that.
        locked(&file).map_err(not_made)?;
        Ok(fs::check(&self.dir.path_of(name), fs, file.into()).await?)
    }
}

fn locked(file: &File) -> Result<(), Failure> {
    rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive)
        .map_err(|errno| Failure::new("lock an image", errno))
}

/// Returns the length of an image in which so much can be written: what the file system needs for itself comes on top.
fn with_metadata(size: Bytes, inodes: Option<u32>, fs: FsType) -> Bytes {
    let own = match fs {
        FsType::Ext4 => {
            // One inode of 256 bytes for each 8 KiB, unless their number is said; bitmaps and descriptors; and what the
            // kernel keeps back so that delayed writes never fail.
            let inodes = inodes.map_or(size.0 / 32, |inodes| u64::from(inodes) * 256);
            let kept_back = (size.0 / 48).min(16 << 20);
            Bytes(inodes.saturating_add(size.0 / 2048)).plus(Bytes(kept_back)).plus(LEAST)
        }
        // Their own room moves while they are used: the limit is that of the device.
        FsType::Xfs | FsType::Btrfs => Bytes::ZERO,
    };
    size.plus(own).round_up(BLOCK).unwrap_or(size)
}
