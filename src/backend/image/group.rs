//! Group snapshots: the members are built side by side, copied at one instant, and real as soon as their group is.
//!
//! A member is a snapshot like any other, in a directory of its own. What makes it real is the record of its
//! group, which is renamed in last: members without one are what a killed driver left behind, and nobody has seen
//! them.

mod attempt;
mod delete;
mod orphans;
mod record;

use super::ImagePool;
use super::error::Result;
use super::record::{Record, VolumeRecord};
use crate::backend::Ensured;
use crate::sys::blocking;
use crate::volume::{Bytes, Group, NewGroup};

pub(super) use orphans::{bury_orphans, is_orphan};
pub(super) use record::GroupRecord;

use attempt::{Attempt, Member};

impl ImagePool {
    /// Returns the group, cut now or found as asked.
    pub(super) async fn cut_group(&self, wanted: &NewGroup) -> Result<Ensured<Group>> {
        if let Some(found) = self.groups.find(&wanted.id).await? {
            return Ok(Ensured::Found(found.group.as_wanted(wanted)?));
        }
        let mut sources = Vec::with_capacity(wanted.sources().len());
        for source in wanted.sources() {
            sources.push(self.volumes.get(source).await?);
        }
        let sizes = || sources.iter().map(Record::size);
        let (whole, largest) =
            (sizes().fold(Bytes::ZERO, Bytes::plus), sizes().max().unwrap_or_default());
        let mut room = self.reserve(whole, largest).await?;
        let member = |(id, source): (_, VolumeRecord)| {
            let room = room.split(source.size());
            Member { id, source, room }
        };
        let members = wanted.members().zip(sources).map(member).collect();
        let attempt = Attempt::new(self, wanted.clone(), members);
        let (cut, rubbish) = blocking(move || attempt.run()).await;
        for one in rubbish {
            self.cleaner.remove(one);
        }
        let (record, members) = match cut {
            Ok(cut) => cut,
            Err(error) => return Err(self.explained(error, whole).await),
        };
        let group = record.group.clone();
        for member in members {
            let size = member.size();
            self.snapshots.put(member, size);
        }
        // Last, so that a group that is found has all its members.
        self.groups.put(record, Bytes::ZERO);
        Ok(Ensured::Made(group))
    }
}
