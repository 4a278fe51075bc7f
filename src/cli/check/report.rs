//! What a check found, as people and programs read it.

use std::io;

use serde::Serialize;

use crate::backend::image::check::{Checked, Done, Fault, Grade, Repaired};
use crate::cli::output::{Output, Row, say};
use crate::cli::rough::Rough;
use crate::volume::Bytes;

/// What was found in one pool.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    pool: String,
    root: String,
    /// Whether a driver had the pool meanwhile.
    beside_driver: bool,
    files: usize,
    volumes: usize,
    snapshots: usize,
    promised_bytes: u64,
    limit_bytes: u64,
    allocated_bytes: u64,
    size_bytes: u64,
    used_bytes: u64,
    free_bytes: u64,
    faults: Vec<FaultLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repairs: Option<Vec<RepairLine>>,
}

#[derive(Debug, Clone, Serialize)]
struct FaultLine {
    grade: &'static str,
    place: String,
    found: String,
}

#[derive(Debug, Clone, Serialize)]
struct RepairLine {
    place: String,
    repair: String,
    outcome: String,
}

/// Prints what was found in all pools.
pub(super) fn print(reports: &[Report], output: Output) -> io::Result<()> {
    match output {
        Output::Json => {
            let text = serde_json::to_string_pretty(reports).map_err(io::Error::other)?;
            say(&text)
        }
        Output::Table => reports.iter().try_for_each(Report::tell),
    }
}

// === impl Report ===

impl Report {
    pub(super) fn of(pool: &str, checked: &Checked) -> Self {
        let sums = checked.sums;
        Self {
            pool: pool.to_owned(),
            root: checked.root.display().to_string(),
            beside_driver: !checked.alone,
            files: checked.files,
            volumes: sums.volumes,
            snapshots: sums.snapshots,
            promised_bytes: sums.promised.0,
            limit_bytes: sums.limit.0,
            allocated_bytes: sums.allocated.0,
            size_bytes: sums.size.0,
            used_bytes: sums.used.0,
            free_bytes: sums.free.0,
            faults: checked.faults.iter().map(FaultLine::of).collect(),
            repairs: None,
        }
    }

    pub(super) fn of_repair(pool: &str, repaired: &Repaired) -> Self {
        let repairs = Some(repaired.done.iter().map(RepairLine::of).collect());
        Self { repairs, ..Self::of(pool, &repaired.after) }
    }

    /// Says whether nobody has to see to anything.
    pub(super) fn is_well(&self) -> bool {
        self.faults.iter().all(|fault| fault.grade == word(Grade::Note))
    }

    fn tell(&self) -> io::Result<()> {
        let rough = |bytes| Rough(Bytes(bytes));
        say(&format!(
            "pool {} at {}, {}: {} volumes and {} snapshots, {} files accounted for\n\
             promised {} of {}; images take {}; {} of {} used, {} free",
            self.pool,
            self.root,
            if self.beside_driver { "beside its driver" } else { "without a driver" },
            self.volumes,
            self.snapshots,
            self.files,
            rough(self.promised_bytes),
            rough(self.limit_bytes),
            rough(self.allocated_bytes),
            rough(self.used_bytes),
            rough(self.size_bytes),
            rough(self.free_bytes),
        ))?;
        if let Some(repairs) = &self.repairs {
            Output::Table.print(repairs, "there is nothing to repair")?;
        }
        Output::Table.print(&self.faults, "everything is as it should be")
    }
}

// === impl FaultLine ===

impl FaultLine {
    fn of(fault: &Fault) -> Self {
        let place = fault.place.display().to_string();
        Self {
            grade: word(fault.grade),
            place: if place.is_empty() { "the pool".to_owned() } else { place },
            found: fault.found.clone(),
        }
    }
}

fn word(grade: Grade) -> &'static str {
    match grade {
        Grade::Note => "note",
        Grade::Orphan => "orphan",
        Grade::Error => "error",
    }
}

impl Row for FaultLine {
    const COLUMNS: &'static [&'static str] = &["", "where", "found"];

    fn cells(&self) -> Vec<String> {
        let place = self.place.escape_debug().to_string();
        vec![self.grade.to_owned(), place, self.found.clone()]
    }
}

// === impl RepairLine ===

impl RepairLine {
    fn of(done: &Done) -> Self {
        Self {
            place: done.place.display().to_string(),
            repair: done.repair.clone(),
            outcome: match &done.outcome {
                Some(Ok(())) => "done".to_owned(),
                Some(Err(why)) => format!("failed: {why}"),
                None if done.is_kept => "kept: it has data; --with-data lets it go".to_owned(),
                None => "not done: --yes does it".to_owned(),
            },
        }
    }
}

impl Row for RepairLine {
    const COLUMNS: &'static [&'static str] = &["where", "repair", "outcome"];

    fn cells(&self) -> Vec<String> {
        vec![self.place.escape_debug().to_string(), self.repair.clone(), self.outcome.clone()]
    }
}
