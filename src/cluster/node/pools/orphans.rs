//! What lies in a pool and has no object: it is told, and never removed. `orlop adopt --manifests` brings the object back.

use crate::backend::Contents;
use crate::cluster::node::Desks;
use crate::cluster::objects::Orphan;

/// Returns what has no object, or nothing as long as not all objects are known.
pub(super) fn orphans(contents: &Contents, desks: &Desks) -> Option<Vec<Orphan>> {
    if !desks.are_synced() {
        return None;
    }
    let volumes = contents.volumes.iter().filter(|id| !desks.volumes.knows(id));
    let snapshots = contents.snapshots.iter().filter(|id| !desks.snapshots.knows(id));
    let groups = contents.groups.iter().filter(|id| !desks.groups.knows(id));
    let orphan = |id: String, kind: &str| Orphan { id, kind: kind.to_owned() };
    let volumes = volumes.map(|id| orphan(id.to_string(), "Volume"));
    let snapshots = snapshots.map(|id| orphan(id.to_string(), "Snapshot"));
    let groups = groups.map(|id| orphan(id.to_string(), "GroupSnapshot"));
    Some(volumes.chain(snapshots).chain(groups).collect())
}
