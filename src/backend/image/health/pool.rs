//! A pool's disk and its room.

use crate::backend::image::layout;
use crate::backend::image::ledger::{Ledger, Space};
use crate::backend::image::place::Located;
use crate::backend::image::settings::{Provisioning, Settings};
use crate::sys::{Result, probe, statvfs};
use crate::volume::{Condition, Reason, Severity, StorageCondition, StorageSeverity};

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
    let (free, total) = (space.free, space.total);
    let reserve = settings.thin_reserve(total);
    let severity = Severity::Degraded;
    if free < reserve || is_paused {
        let message = format!(
            "thin pool {name} is full: {free} of {total} are free, and the reserve is {reserve}; delete volumes or \
             snapshots, or give the pool more room"
        );
        return Some(Finding { reason: Reason::PoolFull, severity, message });
    }
    let message = format!(
        "thin pool {name} is nearly full: {free} of {total} are free; nothing new is created; delete volumes or \
         snapshots, or give the pool more room"
    );
    ledger.is_low(space).then_some(Finding { reason: Reason::PoolNearlyFull, severity, message })
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
