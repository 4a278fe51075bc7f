//! Group snapshots and their members know each other.

use std::ffi::OsStr;
use std::path::Path;

use super::Walk;
use crate::backend::image::error::Result;
use crate::backend::image::group::{GroupRecord, is_orphan};
use crate::backend::image::layout::{self, Kept};
use crate::backend::image::scan::{self, Found};
use crate::backend::image::store::look;
use crate::sys::beneath::Dir;
use crate::volume::{Group, GroupId, SnapshotId};

impl Walk<'_> {
    /// Every group has a record and all its members, and every member has a group.
    pub(super) fn groups(&mut self) -> Result<()> {
        let found = scan::groups(self.root)?;
        let snapshots = self.root.open_dir(layout::SNAPSHOTS)?;
        for id in &found.ceased {
            let place = Path::new(layout::GROUPS).join(id.as_str());
            self.note(place, "is deleted: the driver removes it at its next start");
        }
        if !found.entries.is_empty() || !found.strays.is_empty() {
            let parent = self.root.open_dir(layout::GROUPS)?;
            for (id, entry) in &found.entries {
                let record = entry.record.as_ref().map(|record| &record.group);
                self.group(&parent, id, record.map_err(ToString::to_string), &snapshots)?;
            }
            for name in found.strays.iter().filter_map(|stray| stray.file.file_name()) {
                self.stray::<GroupRecord>(&parent, name)?;
            }
        }
        self.orphans(&snapshots, &found)
    }

    fn group(
        &mut self,
        parent: &Dir,
        id: &GroupId,
        record: std::result::Result<&Group, String>,
        snapshots: &Dir,
    ) -> Result<()> {
        let place = Path::new(layout::GROUPS).join(id.as_str());
        let Ok(dir) = parent.open_dir(id.as_str()) else {
            // What was deleted since it was listed is not there any more.
            return match look(parent, id.as_str())? {
                Some(_) => self.stray::<GroupRecord>(parent, OsStr::new(id.as_str())),
                None => Ok(()),
            };
        };
        self.inside::<GroupRecord>(&dir, &place)?;
        let group = match record {
            Ok(group) => group,
            Err(flaw) => {
                let advice = "put the record right or restore it; its members are kept until then";
                self.error(place.join(GroupId::RECORD), format!("{flaw}: {advice}"));
                return Ok(());
            }
        };
        for member in group.members() {
            if look(snapshots, member.as_str())?.is_none() {
                let found = format!(
                    "has lost its member {member}: bring its directory back, or delete the group"
                );
                self.error(place.clone(), found);
            }
        }
        Ok(())
    }

    fn orphans(&mut self, snapshots: &Dir, groups: &Found<GroupRecord>) -> Result<()> {
        let ids = snapshots.names()?.into_iter();
        let ids = ids.filter_map(|name| name.to_str()?.parse::<SnapshotId>().ok());
        for id in ids.filter(|id| is_orphan(id, groups)) {
            let found = "is a member without its group: the driver removes it at its next start";
            self.note(Path::new(layout::SNAPSHOTS).join(id.as_str()), found);
        }
        Ok(())
    }
}
