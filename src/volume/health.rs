//! What can be the matter with a volume and with the storage behind it, each by a word that programs know.

use std::collections::BTreeMap;
use std::fmt;

use crate::csi::v1;
use crate::csi::v1::node_get_storage_health_response::StorageBackendHealth;
use crate::csi::v1::volume_health::VolumeHealthEntry;
use crate::csi::v1::{StorageHealthErrorType, VolumeHealthErrorType};

use super::VolumeId;

/// What it is that is the matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The file with the volume's bytes is not there.
    ImageMissing,
    /// The file has less than the volume's size.
    ImageShortened,
    /// Nobody can tell what the volume is.
    RecordUnreadable,
    /// The file system has met an error, or has shut down over one.
    FileSystemError,
    /// The file system takes no writes any more, because of an error.
    FileSystemReadOnly,
    /// The file system is mounted, but does not answer.
    FileSystemNotAnswering,
    /// What is mounted or bound for the volume has lost its image.
    LoopDeviceLost,
    /// A copy has held the file system still for longer than it may.
    FrozenTooLong,
    /// The volume's I/O limits are kept, but nobody enforces them.
    LimitsNotEnforced,
    /// The image lies in so many pieces that copies take long.
    TooManyExtents,
    /// A thin pool has little space left.
    PoolNearlyFull,
    /// A thin pool has no space left that writers may use.
    PoolFull,
    /// The pool's disk does not answer, or with errors only.
    PoolUnreachable,
    /// The pool can be read, but not written.
    PoolReadOnly,
    /// The node that the volume is on does not answer.
    NodeNotReady,
    /// The node that the volume was on is gone, or was made anew.
    NodeLost,
    /// What an inline volume shows could not be brought up to date.
    ContentStale,
}

/// How bad it is for the volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It works, but worse or less safely than it should.
    Degraded,
    /// It cannot be used at present.
    Inaccessible,
    /// Some of its content is gone.
    DataLoss,
}

/// Something that is the matter with a volume, for as long as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// How bad it is.
    pub severity: Severity,
    /// What it is.
    pub reason: Reason,
    /// The same as a sentence for people, with what to do.
    pub message: String,
}

/// A volume with which something is the matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unwell {
    /// Its id: its record may be unreadable.
    pub id: VolumeId,
    /// At least one.
    pub conditions: Vec<Condition>,
}

/// How bad it is for the storage of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StorageSeverity {
    /// It works, but worse than it should.
    Degraded,
    /// The node cannot get at it.
    Unreachable,
}

/// Something that is the matter with a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageCondition {
    /// How bad it is.
    pub severity: StorageSeverity,
    /// What it is.
    pub reason: Reason,
    /// The same as a sentence for people, which names the pool.
    pub message: String,
}

// === impl Reason ===

impl Reason {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::ImageMissing,
        Self::ImageShortened,
        Self::RecordUnreadable,
        Self::FileSystemError,
        Self::FileSystemReadOnly,
        Self::FileSystemNotAnswering,
        Self::LoopDeviceLost,
        Self::FrozenTooLong,
        Self::LimitsNotEnforced,
        Self::TooManyExtents,
        Self::PoolNearlyFull,
        Self::PoolFull,
        Self::PoolUnreachable,
        Self::PoolReadOnly,
        Self::NodeNotReady,
        Self::NodeLost,
        Self::ContentStale,
    ];
}

// === impl Condition ===

impl Condition {
    /// Returns a condition of a volume that works, but not as it should.
    pub fn degraded(reason: Reason, message: impl Into<String>) -> Self {
        Self { severity: Severity::Degraded, reason, message: message.into() }
    }

    /// Returns the condition of a volume whose limits do not hold.
    pub fn limits_not_enforced(why: String) -> Self {
        Self::degraded(Reason::LimitsNotEnforced, why)
    }

    /// Returns the condition of an inline volume that may show what is not so any more.
    pub fn content_stale(why: String) -> Self {
        Self::degraded(Reason::ContentStale, why)
    }

    /// Returns a condition of a volume that cannot be used.
    pub fn inaccessible(reason: Reason, message: impl Into<String>) -> Self {
        Self { severity: Severity::Inaccessible, reason, message: message.into() }
    }

    /// Returns a condition of a volume that has lost something.
    pub fn data_loss(reason: Reason, message: impl Into<String>) -> Self {
        Self { severity: Severity::DataLoss, reason, message: message.into() }
    }
}

// === conversions to CSI ===

/// Returns the health of a volume as CSI has it: one entry for each status and reason.
pub fn to_csi(id: &impl fmt::Display, conditions: Vec<Condition>) -> v1::VolumeHealth {
    let keyed = conditions.into_iter().map(|one| ((one.severity, one.reason), one.message));
    let entry = |((severity, reason), message): ((Severity, Reason), String)| VolumeHealthEntry {
        status: VolumeHealthErrorType::from(severity).into(),
        reason: reason.to_string(),
        message,
    };
    let health_statuses = distinct(keyed).into_iter().map(entry).collect();
    v1::VolumeHealth { volume_id: id.to_string(), health_statuses }
}

/// Returns the health of the storage as CSI has it: one entry for each status and reason, whichever of the pools
/// have it, so that there are never more than kubelet takes.
pub fn storage_to_csi(conditions: Vec<StorageCondition>) -> Vec<StorageBackendHealth> {
    let keyed = conditions.into_iter().map(|one| ((one.severity, one.reason), one.message));
    let entry = |((severity, reason), message): ((StorageSeverity, Reason), String)| {
        let status = StorageHealthErrorType::from(severity).into();
        StorageBackendHealth {
            status,
            reason: reason.to_string(),
            message,
            volume_capability: None,
        }
    };
    distinct(keyed).into_iter().map(entry).collect()
}

/// Joins the messages of what has the same key.
fn distinct<Key: Ord>(conditions: impl Iterator<Item = (Key, String)>) -> BTreeMap<Key, String> {
    let mut all: BTreeMap<Key, String> = BTreeMap::new();
    for (key, message) in conditions {
        let text = all.entry(key).or_default();
        if !text.is_empty() {
            text.push_str("; ");
        }
        text.push_str(&message);
    }
    all
}

impl From<Severity> for VolumeHealthErrorType {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Degraded => Self::Degraded,
            Severity::Inaccessible => Self::Inaccessible,
            Severity::DataLoss => Self::DataLoss,
        }
    }
}

impl From<StorageSeverity> for StorageHealthErrorType {
    fn from(severity: StorageSeverity) -> Self {
        match severity {
            StorageSeverity::Degraded => Self::StorageDegraded,
            StorageSeverity::Unreachable => Self::StorageUnreachable,
        }
    }
}

// === texts ===

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The names are the words of the interface; a test holds them against the documentation.
        fmt::Debug::fmt(self, f)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Degraded => "degraded",
            Self::Inaccessible => "inaccessible",
            Self::DataLoss => "data loss",
        })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.severity, self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::Name;

    #[test]
    fn no_status_and_reason_comes_twice() {
        let id = VolumeId::of(&Name::parse("some").unwrap());
        let conditions = vec![
            Condition::degraded(Reason::FileSystemError, "one"),
            Condition::inaccessible(Reason::FileSystemError, "two"),
            Condition::degraded(Reason::FileSystemError, "three"),
        ];
        let health = to_csi(&id, conditions);
        let found: Vec<_> =
            health.health_statuses.iter().map(|one| (one.status, &*one.message)).collect();
        assert_eq!(found, [(1, "one; three"), (2, "two")]);
        assert!(health.health_statuses.iter().all(|one| one.reason == "FileSystemError"));
        assert_eq!(health.volume_id, id.as_str());
    }

    #[test]
    fn the_page_tells_of_every_reason_and_of_no_other() {
        let page = include_str!("../../docs/health.md");
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        let told: Vec<_> = rows.map(str::to_owned).collect();
        assert_eq!(told, Reason::ALL.map(|reason| reason.to_string()));
    }

    #[test]
    fn many_pools_stay_below_what_kubelet_takes() {
        let full = |number: u32| StorageCondition {
            severity: StorageSeverity::Degraded,
            reason: Reason::PoolFull,
            message: format!("pool p{number} is full"),
        };
        let entries = storage_to_csi((0..40).map(full).collect());
        assert_eq!(entries.len(), 1);
        assert!(entries[0].message.contains("p0 is full; pool p1"));
        assert!(storage_to_csi(Vec::new()).is_empty());
    }
}
