//! `orlop volumes`: what the pools' records say, read beside the driver and whether one runs or not.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::age::Age;
use super::failure::Failure;
use super::options::ConfigOptions;
use super::output::{OutputOption, Row};
use super::pools;
use super::unreadable::Unreadable;
use super::watch::{Look, Watched, watch};
use crate::backend::image::{Damaged, Settings, inspect, read_only};
use crate::config::Config;
use crate::error::Result;
use crate::volume::{Bytes, Condition, Limits, Volume};

/// Options of `orlop volumes`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Options {
    /// Look again each second: redraws a terminal; elsewhere, and as JSON, one line for each change.
    #[arg(long, short)]
    watch: bool,

    #[command(flatten)]
    config: ConfigOptions,

    #[command(flatten)]
    output: OutputOption,
}

const EXAMPLES: &str = "\
Reads the records of the pools and the kernel's mount table; it changes, mounts
and locks nothing. A volume whose record cannot be read, or whose image has lost
data, is shown with what is the matter: nothing is guessed and nothing deleted.

Examples:
  orlop volumes --config /etc/orlop/orlop.yaml
  orlop volumes --output json
  orlop volumes --watch";

const NONE: &str = "there are no volumes";

/// A volume, or what is left of one.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    id: String,
    name: Option<String>,
    pool: String,
    size_bytes: u64,
    content: Option<String>,
    #[serde(skip_serializing_if = "Limits::is_none")]
    limits: Limits,
    attached_to: Vec<String>,
    mounted_at: Vec<String>,
    age_seconds: Option<u64>,
    damage: Option<String>,
    /// What is the matter with it.
    health: Vec<Problem>,
}

/// Something that is the matter, with the words that CSI has for it.
#[derive(Debug, Serialize)]
struct Problem {
    status: String,
    reason: String,
    message: String,
}

/// Prints the volumes of all image pools.
pub(super) async fn run(options: Options) -> std::result::Result<ExitCode, Failure> {
    let (config, node) = options.config.read()?;
    refuse_simulated(&config)?;
    let (pools, output) = (pools::image_pools(&config, &node), options.output.output);
    if options.watch {
        let look = async || {
            let (rows, unreadable) = lines_of_all(&pools).await;
            Look { rows, unreadable: unreadable.words() }
        };
        watch(output, NONE, look).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let (lines, unreadable) = lines_of_all(&pools).await;
    if !lines.is_empty() || unreadable.is_empty() {
        output.print(&lines, NONE)?;
    }
    unreadable.end()
}

async fn lines_of_all(pools: &[Settings]) -> (Vec<Line>, Unreadable) {
    let (mut lines, mut unreadable) = (Vec::new(), Unreadable::default());
    for settings in pools {
        let of_pool = unreadable.keep(&settings.name, lines_of(settings).await);
        lines.extend(of_pool.unwrap_or_default());
    }
    (lines, unreadable)
}

async fn lines_of(settings: &Settings) -> Result<Vec<Line>> {
    let (name, listing) = (&settings.name, read_only::volumes(settings).await?);
    let mut places = inspect::places(settings).await?;
    let readable = listing.readable.iter().map(|volume| {
        let mounted_at = places.remove(&volume.id).unwrap_or_default();
        let damage = listing.loss(volume.id.as_str());
        Line { damage, ..Line::of(volume, name, &mounted_at) }
    });
    let damaged = listing.damaged.iter().map(|damaged| Line::of_damaged(damaged, name));
    let mut lines: Vec<Line> = readable.chain(damaged).collect();
    let unwell = inspect::unwell(settings).await?.into_iter();
    let mut unwell: HashMap<_, _> =
        unwell.map(|one| (one.id.to_string(), one.conditions)).collect();
    for line in &mut lines {
        let conditions = unwell.remove(&line.id).unwrap_or_default();
        line.health = conditions.into_iter().map(Problem::of).collect();
    }
    Ok(lines)
}

/// A pool in memory is in the memory of its driver: nobody else can read it.
pub(super) fn refuse_simulated(config: &Config) -> std::result::Result<(), Failure> {
    if config.is_simulated() {
        return Err(Failure::misconfigured(
            "a pool of kind memory can be read by its driver alone: ask over CSI",
        ));
    }
    Ok(())
}

/// Returns the name of the record's directory, which is the id.
pub(super) fn id_of(damaged: &Damaged) -> String {
    let directory = damaged.file.parent().and_then(|directory| directory.file_name());
    directory.map(|name| name.to_string_lossy().escape_debug().to_string()).unwrap_or_default()
}

// === impl Line ===

impl Line {
    fn of(volume: &Volume, pool: &str, mounted_at: &[PathBuf]) -> Self {
        Self {
            id: volume.id.to_string(),
            name: Some(volume.name.as_str().to_owned()),
            pool: pool.to_owned(),
            size_bytes: volume.size.0,
            content: Some(volume.content.to_string()),
            limits: volume.limits,
            attached_to: volume.attachments.iter().map(|attached| attached.node.clone()).collect(),
            mounted_at: mounted_at.iter().map(|place| place.display().to_string()).collect(),
            age_seconds: Some(volume.created.age().as_secs()),
            damage: None,
            health: Vec::new(),
        }
    }

    fn of_damaged(damaged: &Damaged, pool: &str) -> Self {
        Self {
            id: id_of(damaged),
            name: None,
            pool: pool.to_owned(),
            size_bytes: damaged.size.0,
            content: None,
            limits: Limits::NONE,
            attached_to: Vec::new(),
            mounted_at: Vec::new(),
            age_seconds: None,
            damage: Some(format!("{} {}", damaged.file.display(), damaged.flaw)),
            health: Vec::new(),
        }
    }

    fn health(&self) -> String {
        if self.health.is_empty() {
            return "well".to_owned();
        }
        let words = self.health.iter().map(|one| format!("{}: {}", one.status, one.reason));
        words.collect::<Vec<_>>().join(", ")
    }
}

impl Watched for Line {
    fn key(&self) -> &str {
        &self.id
    }

    fn state(&self) -> Vec<String> {
        let columns = Self::COLUMNS.iter().zip(self.cells());
        columns.filter(|(column, _)| **column != "age").map(|(_, cell)| cell).collect()
    }
}

// === impl Problem ===

impl Problem {
    fn of(condition: Condition) -> Self {
        let Condition { severity, reason, message } = condition;
        Self { status: severity.to_string(), reason: reason.to_string(), message }
    }
}

impl Row for Line {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "name",
        "pool",
        "size",
        "content",
        "limits",
        "attached to",
        "mounted at",
        "age",
        "health",
        "damage",
    ];

    fn cells(&self) -> Vec<String> {
        let none = || "-".to_owned();
        let some = |list: &[String]| if list.is_empty() { none() } else { list.join(", ") };
        vec![
            self.id.clone(),
            self.name.as_deref().map_or_else(none, |name| name.escape_debug().to_string()),
            self.pool.clone(),
            Bytes(self.size_bytes).to_string(),
            self.content.clone().unwrap_or_else(none),
            if self.limits.is_none() { none() } else { self.limits.to_string() },
            some(&self.attached_to),
            some(&self.mounted_at),
            self.age_seconds.map_or_else(none, |seconds| Age(seconds).to_string()),
            self.health(),
            self.damage.clone().unwrap_or_else(none),
        ]
    }
}
