//! A group snapshot and the wish for one: snapshots of several volumes, cut at one instant.

use serde::{Deserialize, Serialize};

use super::{GroupId, Name, Snapshot, SnapshotId, Timestamp, Volume, VolumeId};
use crate::csi::v1;
use crate::error::{Error, Noun, Result};

/// A group snapshot as its pool keeps it. Its members are snapshots that go with it alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Group {
    /// Computed from the name.
    pub id: GroupId,
    /// The full CSI name.
    pub name: Name,
    /// The volumes it was cut from, sorted; they may be gone.
    pub sources: Vec<VolumeId>,
    /// The instant of the cut, the same for all members.
    pub created: Timestamp,
}

/// The wish for a group snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGroup {
    /// Computed from the name.
    pub id: GroupId,
    /// The full CSI name.
    pub name: Name,
    /// The volumes to cut it from: at least one, each once, sorted by id.
    sources: Vec<VolumeId>,
}

// === impl Group ===

impl Group {
    /// Returns the ids of the members, in the order of their sources.
    pub fn members(&self) -> impl ExactSizeIterator<Item = SnapshotId> {
        members(&self.id, self.sources.len())
    }

    /// Returns the group, if it is what the wish became.
    pub fn as_wanted(self, wanted: &NewGroup) -> Result<Self> {
        let how = if self.name != wanted.name {
            format!("under the name {}", self.name)
        } else if self.sources != wanted.sources {
            let sources: Vec<_> = self.sources.iter().map(ToString::to_string).collect();
            format!("of volumes {}", sources.join(", "))
        } else {
            return Ok(self);
        };
        Err(Error::Differs { what: Noun::GroupSnapshot, id: self.id.to_string(), how })
    }

    /// Returns the group as CSI has it, with its members as CSI has them. What exists is cut, so it is ready.
    pub fn to_csi(&self, snapshots: Vec<v1::Snapshot>) -> v1::VolumeGroupSnapshot {
        v1::VolumeGroupSnapshot {
            group_snapshot_id: self.id.to_string(),
            snapshots,
            creation_time: Some(self.created.to_csi()),
            ready_to_use: true,
        }
    }
}

// === impl NewGroup ===

impl NewGroup {
    /// The most members that a group can have: each of them is frozen at the same time.
    pub const MOST: usize = 1024;

    /// Reads the two fields of a request.
    pub fn parse(name: &str, source_volume_ids: &[String]) -> Result<Self> {
        let name = Name::parse(name)?;
        let invalid = |reason: String| Error::invalid("source_volume_ids", reason);
        if source_volume_ids.is_empty() {
            return Err(invalid("needs at least one".to_owned()));
        }
        if source_volume_ids.len() > Self::MOST {
            let (count, most) = (source_volume_ids.len(), Self::MOST);
            return Err(invalid(format!("has {count}; a group has at most {most} volumes")));
        }
        if source_volume_ids.iter().any(String::is_empty) {
            return Err(invalid("has an empty id".to_owned()));
        }
        let parsed = source_volume_ids.iter().map(|text| VolumeId::required(text));
        let mut sources = parsed.collect::<Result<Vec<_>>>()?;
        sources.sort();
        match sources.windows(2).find(|two| two.first() == two.last()) {
            Some([twice, ..]) => Err(invalid(format!("names {twice} more than once"))),
            _ => Ok(Self { id: GroupId::of(&name), name, sources }),
        }
    }

    /// Returns the volumes to cut, sorted by id: locks are taken in this order.
    pub fn sources(&self) -> &[VolumeId] {
        &self.sources
    }

    /// Returns the ids of the members, in the order of their sources.
    pub fn members(&self) -> impl ExactSizeIterator<Item = SnapshotId> {
        members(&self.id, self.sources.len())
    }

    /// Returns the group that this wish became at that instant.
    pub fn cut_at(&self, created: Timestamp) -> Group {
        Group {
            id: self.id.clone(),
            name: self.name.clone(),
            sources: self.sources.clone(),
            created,
        }
    }

    /// Returns the member that was cut from the volume at that instant, under the name of the group.
    pub fn member_at(&self, id: SnapshotId, source: &Volume, created: Timestamp) -> Snapshot {
        Snapshot {
            id,
            name: self.name.clone(),
            source: source.id.clone(),
            size: source.size,
            content: source.content,
            block_size: source.block_size,
            created,
        }
    }
}

fn members(id: &GroupId, count: usize) -> impl ExactSizeIterator<Item = SnapshotId> + use<> {
    let id = id.clone();
    (0..count).map(move |number| SnapshotId::of_member(&id, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(name: &str) -> String {
        VolumeId::of(&Name::parse(name).unwrap()).to_string()
    }

    #[test]
    fn the_order_of_the_sources_means_nothing() {
        let one = NewGroup::parse("g", &[volume("a"), volume("b"), volume("c")]).unwrap();
        let other = NewGroup::parse("g", &[volume("c"), volume("a"), volume("b")]).unwrap();
        assert_eq!(one, other);
        assert!(one.sources().is_sorted());
        one.cut_at(Timestamp::now()).as_wanted(&other).unwrap();
        let members: Vec<_> = one.members().map(|id| id.to_string()).collect();
        assert_eq!(members, [0, 1, 2].map(|number| format!("{}-{number}", one.id)));
        let fewer = NewGroup::parse("g", &[volume("c"), volume("a")]).unwrap();
        let differs = one.cut_at(Timestamp::now()).as_wanted(&fewer).unwrap_err().sentence();
        assert!(differs.contains("exists already, but of volumes v-"), "{differs}");
    }

    #[test]
    fn what_names_no_volumes_or_one_twice_is_refused() {
        for (sources, naming) in [
            (vec![], "at least one"),
            (vec![volume("a"), String::new()], "empty id"),
            (vec![volume("a"), volume("b"), volume("a")], "more than once"),
            ((0..1025).map(|number| volume(&number.to_string())).collect(), "at most 1024"),
        ] {
            let refused = NewGroup::parse("g", &sources).unwrap_err();
            assert!(refused.sentence().contains(naming), "{refused}");
        }
        let unknown = NewGroup::parse("g", &["fake-vol-id".to_owned()]);
        assert!(matches!(unknown, Err(Error::NotFound { .. })));
    }
}
