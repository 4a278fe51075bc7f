//! Lets a group cease with all its members: as soon as its record is gone, none of them is real.

use std::ffi::OsString;
use std::sync::Arc;

use crate::backend::Ensured;
use crate::backend::image::ImagePool;
use crate::backend::image::cleaner::{Place, Rubbish};
use crate::backend::image::delete::unused;
use crate::backend::image::error::{Error, Result};
use crate::backend::image::layout::Kept;
use crate::backend::image::record::SnapshotRecord;
use crate::backend::image::store::{Held, Store};
use crate::fault;
use crate::sys::beneath::DirLock;
use crate::sys::blocking;
use crate::volume::{Bytes, GroupId, SnapshotId};

/// What has become of something that was to go.
#[derive(Debug)]
enum End {
    /// It is in the trash under this name, locked by us.
    Buried(OsString, DirLock),
    /// It is not there any more.
    Absent,
    /// It could not be moved, and is as it was.
    Stuck,
}

// === impl End ===

impl End {
    fn of(grave: Option<OsString>, held: Held) -> Self {
        grave.map_or(Self::Absent, |name| Self::Buried(name, held.lock))
    }
}

impl ImagePool {
    /// Succeeds when there is no such group any more.
    pub(in crate::backend::image) async fn delete_group(
        &self,
        id: &GroupId,
    ) -> Result<Ensured<()>> {
        let Some(record) = self.groups.find(id).await? else { return Ok(Ensured::Found(())) };
        let mut members = Vec::new();
        for member in record.group.members() {
            // What cannot be read is not deleted either; what an admin has moved away is gone already.
            if self.snapshots.find(&member).await?.is_some() {
                members.push(member);
            }
        }
        let (store, group, parts) = (Arc::clone(&self.store), id.clone(), members.clone());
        let (group_end, ends) = blocking(move || bury(&store, &group, &parts)).await?;
        self.groups.remove(id);
        self.clean(group_end, Bytes::ZERO);
        for (member, end) in members.iter().zip(ends) {
            let counted = self.snapshots.counted(member);
            self.snapshots.remove(member);
            self.clean(end, counted);
        }
        Ok(Ensured::Made(()))
    }

    fn clean(&self, end: End, counted: Bytes) {
        let room = self.ledger.take_over(counted);
        match end {
            End::Buried(name, lock) => {
                let lock = Some(lock);
                self.cleaner.remove(Rubbish { place: Place::Trash, name, lock, room });
            }
            End::Absent => drop(room),
            // It stays counted: the next start finds a member without a group.
            End::Stuck => room.commit(),
        }
    }
}

/// Moves all of it to the trash, the group first; or nothing, if something of it is in use.
fn bury(store: &Store, id: &GroupId, members: &[SnapshotId]) -> Result<(End, Vec<End>)> {
    let group = hold(store, id)?;
    let held = members.iter().map(|member| hold(store, member)).collect::<Result<Vec<_>>>()?;
    for (member, held) in members.iter().zip(&held) {
        held.as_ref().map_or(Ok(()), |held| unused::<SnapshotRecord>(held, member))?;
    }
    fault::point("delete: unused");
    let group = if let Some(held) = group {
        End::of(store.bury(id, &held)?, held)
    } else {
        // An earlier delete has buried it, and failed behind that.
        store.buried(id)?;
        End::Absent
    };
    fault::point("group: buried");
    let end = |(member, held): (&SnapshotId, Option<Held>)| match held {
        Some(held) => end_of(store, member, held),
        None => End::Absent,
    };
    Ok((group, members.iter().zip(held).map(end).collect()))
}

/// Holds what is there still.
fn hold<Id: Kept>(store: &Store, id: &Id) -> Result<Option<Held>> {
    match store.hold(id) {
        Err(Error::Kernel(failure)) if failure.is_not_found() => Ok(None),
        held => held.map(Some),
    }
}

/// Its group is gone, and so it is not real any more, wherever it lies.
fn end_of(store: &Store, member: &SnapshotId, held: Held) -> End {
    match store.bury(member, &held) {
        Ok(grave) => End::of(grave, held),
        Err(error) => {
            let why = crate::error::Error::from(error).sentence();
            tracing::warn!(snapshot = %member, why, "a member of a deleted group stays until the next start");
            End::Stuck
        }
    }
}
