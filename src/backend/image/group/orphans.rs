//! Members without a group: what a driver left that was killed between the two.

use std::collections::BTreeMap;

use super::GroupRecord;
use crate::backend::image::record::SnapshotRecord;
use crate::backend::image::scan::Found;
use crate::backend::image::store::Store;
use crate::volume::SnapshotId;

/// Says whether it is a member of none of these groups. A group whose record cannot be read has its members still.
pub(in crate::backend::image) fn is_orphan(id: &SnapshotId, groups: &Found<GroupRecord>) -> bool {
    id.group().is_some_and(|group| !groups.entries.contains_key(&group))
}

/// Takes the members without a group out of what was found, into the trash. Nobody was ever told of them, or
/// somebody was told that they are gone.
pub(in crate::backend::image) fn bury_orphans(
    store: &Store,
    snapshots: &mut Found<SnapshotRecord>,
    groups: &Found<GroupRecord>,
) {
    let (orphans, real): (BTreeMap<_, _>, BTreeMap<_, _>) = std::mem::take(&mut snapshots.entries)
        .into_iter()
        .partition(|(id, _)| is_orphan(id, groups));
    snapshots.entries = real;
    for id in orphans.keys() {
        match store.hold(id).and_then(|held| store.bury(id, &held)) {
            Ok(_) => tracing::info!(snapshot = %id, "removing a member without its group"),
            Err(error) => {
                let why = crate::error::Error::from(error).sentence();
                tracing::warn!(snapshot = %id, why, "a member without its group stays until the next start");
            }
        }
    }
}
