//! What a kind of inline volume is to the frame around it.

use std::fmt;
use std::os::fd::{BorrowedFd, OwnedFd};

use async_trait::async_trait;

use super::{InlineId, InlineVolume, Kept};
use crate::error::Result;
use crate::sys::Failure;
use crate::sys::inspect::usage;
use crate::sys::mount::DetachedMount;
use crate::sys::statvfs::Usage;
use crate::volume::Condition;

/// What makes the volumes of one role.
///
/// The frame calls it under the lock of the volume's id. Every method can be called again after it failed, or after
/// the process was killed in the middle of it, and what is there already is then found and used.
#[async_trait]
pub trait Kind: fmt::Debug + Send + Sync + 'static {
    /// Checks what is asked for, reserves what it takes, and returns what has to be known of it to remove it again:
    /// that is on disk before [`Kind::make`] begins. Nothing is made, no file is written. An error gives back what it
    /// had reserved.
    fn plan(&self, volume: &InlineVolume) -> Result<Kept>;

    /// Makes the volume, or finds it, and returns it as a mount that is nowhere to be seen yet: the frame moves it to
    /// the target. An error may leave anything behind: [`Kind::remove`] follows.
    async fn make(&self, volume: &InlineVolume, planned: Kept) -> Result<Made>;

    /// Brings the content of a volume up to date that is published already. `root` is the root of what is mounted at
    /// the target, opened as a path. An error is noted and not told to kubelet, which may take it for the end of the
    /// volume; so the kind leaves the old content as it was.
    async fn again(&self, volume: &InlineVolume, kept: &Kept, root: OwnedFd) -> Result<()>;

    /// Removes what the volume has; its target is unmounted already. Succeeds where there is nothing, and works with
    /// nothing but the id. What it had reserved is given back.
    async fn remove(&self, id: &InlineId, kept: Option<&Kept>) -> Result<()>;

    /// Hears at start of a volume that is there, to count what it takes. Nothing else happens before that.
    fn recall(&self, id: &InlineId, kept: &Kept);

    /// Returns the ids of everything that the kind itself keeps anywhere, with a record or without: what belongs to no
    /// pod is removed.
    async fn all(&self) -> Result<Vec<InlineId>>;

    /// Returns how full the volume is. `root` is the root of what is mounted at the target, opened as a path. It may
    /// never return.
    fn usage(&self, _id: &InlineId, _kept: &Kept, root: BorrowedFd<'_>) -> Result<Usage, Failure> {
        usage(root)
    }

    /// Returns what is the matter with the volume.
    fn health(&self, id: &InlineId) -> Vec<Condition>;
}

/// A volume that is made.
#[derive(Debug)]
pub struct Made {
    /// Complete with its options (`ro`, `nosuid`, …).
    pub mount: DetachedMount,
    /// What has to be known of it from now on.
    pub kept: Kept,
}
