//! The names that a pool has on disk. Nothing else in the driver spells one out.

use std::ffi::OsStr;
use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::volume::{GroupId, SnapshotId, VolumeId};

/// What the pool is: its name, its uuid, its node.
pub(super) const POOL: &str = "pool.json";
/// Space to give up when a record cannot be written otherwise.
pub(super) const BALLAST: &str = "ballast";
/// A written file, to change places with a record that has to change where there is no block left.
pub(super) const SPARE: &str = "spare";
/// What is being built and is not real yet.
pub(super) const NEW: &str = "new";
/// What is being removed and is not real any more.
pub(super) const TRASH: &str = "trash";
/// The volumes, each in a directory that has its id as name.
pub(super) const VOLUMES: &str = "volumes";
/// The snapshots, likewise.
pub(super) const SNAPSHOTS: &str = "snapshots";
/// The group snapshots, likewise; their members are among the snapshots.
pub(super) const GROUPS: &str = "groups";
/// All directories that a pool has.
pub(super) const DIRECTORIES: [&str; 5] = [NEW, TRASH, VOLUMES, SNAPSHOTS, GROUPS];

/// The content of a volume or snapshot.
pub(super) const IMAGE: &str = "data.img";
/// Where the bytes of a snapshot's image lie, as they were listed when it was cut.
pub(super) const EXTENTS: &str = "extents";
/// The record of a volume.
pub(super) const VOLUME: &str = "volume.json";
/// The record of a snapshot.
pub(super) const SNAPSHOT: &str = "snapshot.json";
/// The record of a group snapshot. Its members are real as soon as it is.
pub(super) const GROUP: &str = "group.json";
/// Lies beside a volume's image for as long as a copy keeps it frozen.
pub(super) const FROZEN: &str = super::copy::MARKER;

/// Lies beside a volume's image from before the volume is paused until behind its end.
pub(super) const PAUSED: &str = "paused";

/// Something that lives in a directory of its own below one directory of the pool.
pub(super) trait Kept:
    fmt::Debug + fmt::Display + FromStr + Ord + Clone + Send + Sync + 'static
{
    /// The directory of the pool.
    const PARENT: &'static str;
    /// The name of its record.
    const RECORD: &'static str;
}

impl Kept for VolumeId {
    const PARENT: &'static str = VOLUMES;
    const RECORD: &'static str = VOLUME;
}

impl Kept for SnapshotId {
    const PARENT: &'static str = SNAPSHOTS;
    const RECORD: &'static str = SNAPSHOT;
}

impl Kept for GroupId {
    const PARENT: &'static str = GROUPS;
    const RECORD: &'static str = GROUP;
}

/// Returns a name in the trash that nothing had before: an id can be created and deleted again and again.
pub(super) fn grave(name: impl fmt::Display) -> String {
    format!("{name}.{}", Uuid::new_v4().simple())
}

/// Says whether the name in the trash is one that `id` was given.
pub(super) fn is_grave<Id: Kept>(name: &OsStr, id: &Id) -> bool {
    let rest = name.to_str().and_then(|name| name.strip_prefix(&id.to_string()));
    rest.is_some_and(|rest| rest.starts_with('.'))
}
