//! The one thing that a death may do to a volume.
//!
//! A btrfs that is thawed reads its superblock. When the driver is killed in that instant, the kernel takes the
//! interruption for an error (`btrfs_unfreeze`, errno -4 in its log) and lets nobody write any more. Nothing is lost,
//! and the driver says what to do; see docs/limits.md.

use orlop::sys::mountinfo::MountTable;
use tonic::{Code, Status};

use super::{Slot, Worker, code};
use crate::storm::world::Kind;

impl Worker {
    /// Says whether the kernel, and nobody else, keeps the volume's file system from being written.
    pub(super) fn is_stopped(&self, name: &str, kind: Kind) -> bool {
        let table = MountTable::read().unwrap();
        let mounted = table.at(&self.staging(name));
        let stopped = mounted.is_some_and(|mount| mount.super_options.has("ro"));
        let stopped = stopped && kind == Kind::Btrfs;
        assert!(!stopped || self.sea.deaths() > 0, "nobody has died, and {name} is stopped");
        stopped
    }

    /// Does with a volume that was stopped what the driver advises, and says whether it was.
    pub(super) async fn mend(&mut self, slot: &Slot) -> bool {
        let stopped = self.is_stopped(&slot.name, slot.kind);
        if stopped {
            eprintln!("{} was stopped by a death", slot.name);
            self.unpublish(slot).await;
            self.unstage(slot).await;
        }
        stopped
    }

    /// Says whether the call was refused because of that.
    pub(super) async fn was_stopped<A>(&mut self, slot: &Slot, answer: &Result<A, Status>) -> bool {
        code(answer) == Code::FailedPrecondition && self.mend(slot).await
    }
}
