//! Makes a copy a file system of its own, before it is mounted for the first time: its log is replayed, it gets
//! a UUID that nothing else has, and it fills its image.
//!
//! Each of the three takes its steps in the order that its tools allow. All begin with a look at what is done
//! already, so that a run that was killed anywhere is finished by the next.

mod btrfs;
mod ext4;
mod private;
mod xfs;

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Error;
use crate::fault;
use crate::sys::{self, Doing, blocking};
use crate::volume::{Content, FsType};

/// What is still to be done to a copy, as its record has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pending {
    /// The UUID that it shall have.
    pub new_uuid: Uuid,
    /// Whether the image may be larger than the file system in it.
    pub grow: bool,
}

impl Pending {
    /// Returns what is to be done to a new copy with this content, if anything.
    ///
    /// Every copy of a file system gets a UUID of its own. Whether it is smaller than its image nobody can tell: the
    /// source may have been expanded and not mounted since.
    pub fn of_copy(content: Content) -> Option<Self> {
        match content {
            Content::FileSystem(_) => Some(Self { new_uuid: Uuid::new_v4(), grow: true }),
            Content::Block => None,
        }
    }
}

/// Finishes the copy of an `fs` in `image`, which nobody has attached, and waits until that is on the disk. It
/// can be repeated.
///
/// Programs that work on the image, and may outlive us, hold `lock`.
pub async fn finish(
    image: &Path,
    fs: FsType,
    lock: OwnedFd,
    pending: Pending,
) -> Result<(), Error> {
    let copy = Copy { image, fs, lock, pending };
    match fs {
        FsType::Xfs => xfs::finish(&copy).await?,
        FsType::Ext4 => ext4::finish(&copy).await?,
        FsType::Btrfs => btrfs::finish(&copy).await?,
    }
    fault::point("finish: done, not yet on the disk");
    let image = image.to_owned();
    let sync = move || File::open(&image)?.sync_all();
    Ok(blocking(sync).await.doing(|| "write a finished copy to the disk")?)
}

/// Mounts the file system in `image`, which nobody has attached, as volumes are mounted, but where nobody sees it.
/// What cannot be mounted so is an error with the kernel's own words.
pub async fn prove(image: &Path, fs: FsType, lock: OwnedFd) -> Result<(), Error> {
    let pending = Pending { new_uuid: Uuid::nil(), grow: false };
    Ok(private::visit(&Copy { image, fs, lock, pending }, &[]).await?)
}

/// What the three work on.
#[derive(Debug)]
struct Copy<'a> {
    image: &'a Path,
    fs: FsType,
    lock: OwnedFd,
    pending: Pending,
}

// === impl Copy ===

impl Copy<'_> {
    /// Returns the lock once more, for a program.
    fn lock(&self) -> sys::Result<OwnedFd> {
        self.lock.as_fd().try_clone_to_owned().doing(|| "duplicate the lock of a volume")
    }

    /// Says whether the file system has its new UUID.
    async fn is_named(&self) -> Result<bool, Error> {
        let (image, fs, uuid) = (self.image.to_owned(), self.fs, self.pending.new_uuid);
        Ok(blocking(move || crate::fs::has_uuid(&image, fs, uuid)).await?)
    }

    /// Says whether the file system has still to grow. Whoever made the copy may not have known.
    async fn is_short(&self) -> Result<bool, Error> {
        if !self.pending.grow {
            return Ok(false);
        }
        let (image, fs) = (self.image.to_owned(), self.fs);
        Ok(!blocking(move || crate::fs::grow::fills(&image, fs)).await?)
    }

    /// Gives the file system its new UUID.
    async fn name(&self) -> Result<(), Error> {
        crate::fs::set_uuid(self.image, self.fs, self.pending.new_uuid, self.lock()?).await?;
        fault::point("finish: named");
        Ok(())
    }
}
