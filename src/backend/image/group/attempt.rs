//! One attempt to cut a group: all of it, or nothing.

use std::ffi::OsString;
use std::sync::Arc;

use super::GroupRecord;
use crate::backend::image::ImagePool;
use crate::backend::image::building::Building;
use crate::backend::image::cleaner::{Place, Rubbish};
use crate::backend::image::copy;
use crate::backend::image::copying::{Manner, Origin, volume_origin};
use crate::backend::image::error::Result;
use crate::backend::image::layout::Kept;
use crate::backend::image::ledger::{Ledger, Reservation};
use crate::backend::image::record::{Record, SnapshotRecord, VolumeRecord};
use crate::backend::image::store::{Store, image_length};
use crate::fault;
use crate::sys::beneath::DirLock;
use crate::sys::every;
use crate::volume::{Bytes, GroupId, NewGroup, SnapshotId, Timestamp};

/// A group that is to be cut.
#[derive(Debug)]
pub(super) struct Attempt {
    store: Arc<Store>,
    ledger: Arc<Ledger>,
    manner: Manner,
    tells_changes: bool,
    wanted: NewGroup,
    members: Vec<Member>,
    /// How many members are being built by us, and may be taken back.
    begun: usize,
    rubbish: Vec<Rubbish>,
}

/// A member that is to be cut.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) id: SnapshotId,
    pub(super) source: VolumeRecord,
    pub(super) room: Reservation,
}

/// Something that is not real and lies there still.
#[derive(Debug)]
struct Left {
    place: Place,
    name: OsString,
    lock: Option<DirLock>,
}

/// What is real then.
type Cut = (GroupRecord, Vec<SnapshotRecord>);

// === impl Attempt ===

impl Attempt {
    pub(super) fn new(pool: &ImagePool, wanted: NewGroup, members: Vec<Member>) -> Self {
        Self {
            store: Arc::clone(&pool.store),
            ledger: Arc::clone(&pool.ledger),
            manner: pool.manner(),
            tells_changes: pool.tells_changes,
            wanted,
            members,
            begun: 0,
            rubbish: Vec::new(),
        }
    }

    /// Returns the group that is real now, or why there is none, and what is left to be removed.
    pub(super) fn run(mut self) -> (Result<Cut>, Vec<Rubbish>) {
        let cut = self.clear().and_then(|()| {
            let group = Building::begin(&self.store, &self.wanted.id)?;
            let cut = self.cut(&group);
            if cut.is_err() {
                self.withdraw();
            }
            cut
        });
        if cut.is_ok() {
            self.members.into_iter().for_each(|member| member.room.commit());
        }
        (cut, self.rubbish)
    }

    /// Takes out of the way what an earlier attempt could neither finish nor remove. It is counted still.
    fn clear(&mut self) -> Result<()> {
        for Member { id, .. } in &self.members {
            let (snapshots, name) = (self.store.parent::<SnapshotId>(), id.to_string());
            if snapshots.exists(&name)? {
                let room = self.ledger.take_over(image_length(&snapshots.open_dir(&name)?)?);
                let left = bury(&self.store, id)?;
                self.rubbish.extend(left.map(|left| left.rubbish(room)));
            }
        }
        Ok(())
    }

    fn cut(&mut self, group: &Building<GroupId>) -> Result<Cut> {
        let mut built = Vec::with_capacity(self.members.len());
        for member in &self.members {
            built.push(Building::begin(&self.store, &member.id)?);
            self.begun += 1;
        }
        self.copy(&built)?;
        let created = Timestamp::now();
        let record = |member: &Member| {
            let source = &member.source.volume;
            SnapshotRecord::new(self.wanted.member_at(member.id.clone(), source, created))
        };
        let records: Vec<_> = self.members.iter().map(record).collect();
        let both: Vec<_> = built.iter().zip(&records).collect();
        let publish = |(built, record)| publish(built, record, self.tells_changes);
        for published in every(both, publish) {
            published?;
        }
        fault::point("group: all members are there");
        let group_record = GroupRecord::new(self.wanted.cut_at(created));
        group.publish_record(&group_record)?;
        Ok((group_record, records))
    }

    /// Copies all sources, which nobody else can work on meanwhile, as they are at one instant.
    fn copy(&self, built: &[Building<SnapshotId>]) -> Result<()> {
        let hold = |member: &Member| volume_origin(&self.store, &member.source);
        let origins = self.members.iter().map(hold).collect::<Result<Vec<Origin>>>()?;
        let targets: Vec<_> = built.iter().map(Building::image_path).collect();
        let both = origins.iter().zip(&targets);
        let wishes: Vec<_> =
            both.map(|(origin, target)| origin.wish(target, self.manner)).collect();
        Ok(copy::cut_together(&wishes)?)
    }

    /// Takes back whatever has been built, however far it has come.
    fn withdraw(&mut self) {
        let group = withdraw(&self.store, &self.wanted.id);
        let nothing = self.ledger.take_over(Bytes::ZERO);
        self.rubbish.extend(rubbish(group, nothing));
        for member in self.members.drain(..self.begun) {
            let left = withdraw(&self.store, &member.id);
            self.rubbish.extend(rubbish(left, member.room));
        }
    }
}

fn publish(
    built: &Building<SnapshotId>,
    record: &SnapshotRecord,
    tells_changes: bool,
) -> Result<()> {
    // The image may be longer than its record says, after an expand that was not finished.
    built.complete(record.size(), tells_changes)?;
    built.publish(record)
}

/// Takes back something that nobody was told of, and returns what is left to remove.
fn withdraw<Id: Kept>(store: &Store, id: &Id) -> Result<Option<Left>> {
    let name = id.to_string();
    if store.parent::<Id>().exists(&name)? {
        return bury(store, id);
    }
    if let Err(failure) = store.new_dir().remove_tree(&name) {
        tracing::warn!(id = name, cause = %failure.source, "{failure}");
        return Ok(Some(Left { place: Place::New, name: name.into(), lock: None }));
    }
    Ok(None)
}

fn bury<Id: Kept>(store: &Store, id: &Id) -> Result<Option<Left>> {
    let held = store.hold(id)?;
    let grave = store.bury(id, &held)?;
    Ok(grave.map(|name| Left { place: Place::Trash, name, lock: Some(held.lock) }))
}

/// Returns what the cleaner has to do. What could not even be taken back stays until the next start, and counted.
fn rubbish(left: Result<Option<Left>>, room: Reservation) -> Option<Rubbish> {
    match left {
        Ok(left) => left.map(|left| left.rubbish(room)),
        Err(error) => {
            let why = crate::error::Error::from(error).sentence();
            tracing::warn!(why, "a part of a group that was not cut stays until the next start");
            room.commit();
            None
        }
    }
}

// === impl Left ===

impl Left {
    fn rubbish(self, room: Reservation) -> Rubbish {
        let Self { place, name, lock } = self;
        Rubbish { place, name, lock, room }
    }
}
