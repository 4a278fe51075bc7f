//! `orlop snapshots`: what the pools' records say, read beside the driver and whether one runs or not.

use std::process::ExitCode;

use serde::Serialize;

use super::age::Age;
use super::failure::Failure;
use super::options::LookOptions;
use super::output::Row;
use super::unreadable::Unreadable;
use super::{pools, volumes};
use crate::backend::image::{Damaged, Settings, read_only};
use crate::error::Result;
use crate::volume::{Bytes, Snapshot};

/// What `orlop snapshots --help` shows below the options.
pub(super) const EXAMPLES: &str = "\
Reads the records of the pools; it changes, mounts and locks nothing. The source
of a snapshot may be gone: a snapshot needs nothing of it any more. The members of
a group snapshot name their group, and are deleted with it.

Example:
  orlop snapshots --config /etc/orlop/orlop.yaml --output json";

/// A snapshot, or what is left of one.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    id: String,
    name: Option<String>,
    pool: String,
    size_bytes: u64,
    content: Option<String>,
    source: Option<String>,
    group: Option<String>,
    age_seconds: Option<u64>,
    damage: Option<String>,
}

/// Prints the snapshots of all image pools.
pub(super) async fn run(options: LookOptions) -> std::result::Result<ExitCode, Failure> {
    let (config, node) = options.config.read()?;
    volumes::refuse_simulated(&config)?;
    let (mut lines, mut unreadable) = (Vec::new(), Unreadable::default());
    for settings in pools::image_pools(&config, &node) {
        lines
            .extend(unreadable.keep(&settings.name, lines_of(&settings).await).unwrap_or_default());
    }
    if !lines.is_empty() || unreadable.is_empty() {
        options.output.output.print(&lines, "there are no snapshots")?;
    }
    unreadable.end()
}

async fn lines_of(settings: &Settings) -> Result<Vec<Line>> {
    let (name, listing) = (&settings.name, read_only::snapshots(settings).await?);
    let readable = listing.readable.iter().map(|snapshot| {
        let damage = listing.loss(snapshot.id.as_str());
        Line { damage, ..Line::of(snapshot, name) }
    });
    let damaged = listing.damaged.iter().map(|damaged| Line::of_damaged(damaged, name));
    Ok(readable.chain(damaged).collect())
}

// === impl Line ===

impl Line {
    fn of(snapshot: &Snapshot, pool: &str) -> Self {
        Self {
            id: snapshot.id.to_string(),
            name: Some(snapshot.name.as_str().to_owned()),
            pool: pool.to_owned(),
            size_bytes: snapshot.size.0,
            content: Some(snapshot.content.to_string()),
            source: Some(snapshot.source.to_string()),
            group: snapshot.id.group().map(String::from),
            age_seconds: Some(snapshot.created.age().as_secs()),
            damage: None,
        }
    }

    fn of_damaged(damaged: &Damaged, pool: &str) -> Self {
        Self {
            id: volumes::id_of(damaged),
            name: None,
            pool: pool.to_owned(),
            size_bytes: damaged.size.0,
            content: None,
            source: None,
            group: None,
            age_seconds: None,
            damage: Some(format!("{} {}", damaged.file.display(), damaged.flaw)),
        }
    }
}

impl Row for Line {
    const COLUMNS: &'static [&'static str] =
        &["id", "name", "pool", "size", "content", "source", "group", "age", "damage"];

    fn cells(&self) -> Vec<String> {
        let none = || "-".to_owned();
        vec![
            self.id.clone(),
            self.name.as_deref().map_or_else(none, |name| name.escape_debug().to_string()),
            self.pool.clone(),
            Bytes(self.size_bytes).to_string(),
            self.content.clone().unwrap_or_else(none),
            self.source.clone().unwrap_or_else(none),
            self.group.clone().unwrap_or_else(none),
            self.age_seconds.map_or_else(none, |seconds| Age(seconds).to_string()),
            self.damage.clone().unwrap_or_else(none),
        ]
    }
}
