//! A pool's disk and its room.

use std::fmt;

use crate::backend::image::layout;
use crate::backend::image::ledger::{Ledger, Outside, Space};
use crate::backend::image::place::Located;
use crate::backend::image::settings::{Provisioning, Settings};
use crate::sys::{Result, probe, statvfs};
use crate::volume::{Bytes, Condition, Reason, Severity, StorageCondition, StorageSeverity};

/// What the pool's disk and file system say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    space: Space,
    read_only: bool,
}

/// Something that is the matter with the pool, and so with its volumes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) reason: Reason,
    severity: Severity,
    message: String,
}

/// Asks the pool's file system for its room, and its disk for a block. It may never return.
pub(super) fn probe(located: &Located) -> Result<State> {
    let state =
        State { space: located.space()?, read_only: statvfs::usage(&located.root)?.read_only };
    probe::read_from_disk(&located.root.join(layout::POOL))?;
    Ok(state)
}

/// Returns what is the matter with a pool that answers, and whose volumes are paused or not.
pub(super) fn findings(
    settings: &Settings,
    ledger: &Ledger,
    state: State,
    is_paused: bool,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let name = &settings.name;
    if state.read_only {
        findings.push(Finding {
            reason: Reason::PoolReadOnly,
            severity: Severity::Inaccessible,
            message: format!(
                "pool {name} can be read but not written: see to its file system, then mount it again"
            ),
        });
    }
    findings.extend(room(settings, ledger, state.space, is_paused));
    findings
}

/// Only a thin pool can run out of what its volumes need.
fn room(settings: &Settings, ledger: &Ledger, space: Space, is_paused: bool) -> Option<Finding> {
    let Settings { name, provisioning: Provisioning::Thin(_), .. } = settings else { return None };
    let reserve = settings.thin_reserve(space.total);
    let severity = Severity::Degraded;
    let what = What { name, space };
    if space.free < reserve || is_paused {
        let message = format!(
            "{what} is full: {}, and the reserve is {reserve}; delete volumes or snapshots, or give the pool more room",
            what.free()
        );
        return Some(Finding { reason: Reason::PoolFull, severity, message });
    }
    let message = format!(
        "{what} is nearly full: {}; nothing new is created; delete volumes or snapshots, or give the pool more room",
        what.free()
    );
    ledger.is_low(space).then_some(Finding { reason: Reason::PoolNearlyFull, severity, message })
}

/// What has so little room: the pool, or the file system that its file is on and others fill.
struct What<'a> {
    name: &'a str,
    space: Space,
}

// === impl What ===

impl What<'_> {
    /// Returns the room around the pool, where that is the scarcer one.
    fn around(&self) -> Option<Outside> {
        let Space { free, total, .. } = self.space;
        let share = |free: Bytes, of: Bytes| u128::from(free.0) * u128::from(of.0);
        self.space.outside.filter(|outside| share(outside.free, total) < share(free, outside.total))
    }

    /// Says how much is free, to the MiB.
    fn free(&self) -> String {
        let Space { free, total, .. } = self.space;
        let (free, total) =
            self.around().map_or((free, total), |outside| (outside.free, outside.total));
        format!("{} of {} MiB are free", free.0 >> 20, total.0 >> 20)
    }
}

impl fmt::Display for What<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, .. } = self;
        match self.around() {
            Some(_) => write!(f, "the file system around thin pool {name}"),
            None => write!(f, "thin pool {name}"),
        }
    }
}

// === impl Finding ===

impl Finding {
    /// Returns what it is for the storage.
    pub(super) fn of_storage(self) -> StorageCondition {
        let Self { reason, message, .. } = self;
        StorageCondition { severity: StorageSeverity::Degraded, reason, message }
    }

    /// Returns what it is for each volume of the pool.
    pub(super) fn of_volume(&self) -> Condition {
        let Self { reason, severity, message } = self.clone();
        Condition { severity, reason, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_scarce_is_named() {
        let said = |outside| {
            let (free, total) = (Bytes::gib(2), Bytes::gib(4));
            let what = What { name: "p", space: Space { total, free, outside, shared: false } };
            format!("{what}: {}", what.free())
        };
        let pool = "thin pool p: 2048 of 4096 MiB are free";
        assert_eq!(said(None), pool);
        let around = |free| Some(Outside { total: Bytes::gib(100), free: Bytes::gib(free) });
        assert_eq!(said(around(60)), pool);
        let scarce = "the file system around thin pool p: 3072 of 102400 MiB are free";
        assert_eq!(said(around(3)), scarce);
    }
}
