//! `orlop pools`: what each pool of the config is, has and has promised, and whether anything is the matter.

use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use super::failure::Failure;
use super::options::LookOptions;
use super::output::Row;
use super::pools;
use super::rough::Rough;
use super::unreadable::Unreadable;
use super::volumes;
use crate::backend::image::inspect::{Inspection, State, inspect, unwell};
use crate::backend::image::{Place, Provisioning, Settings};
use crate::volume::Bytes;

/// What `orlop pools --help` shows below the options.
pub(super) const EXAMPLES: &str = "\
Reads the records of the pools and asks their file systems; it changes, mounts
and locks nothing. `orlop check` looks closer.

Examples:
  orlop pools --config /etc/orlop/orlop.yaml
  orlop pools --output json";

/// A pool of the config.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    name: String,
    kind: &'static str,
    place: String,
    provisioning: &'static str,
    /// How many times its size a thin pool may promise.
    ratio: Option<String>,
    size_bytes: Option<u64>,
    promised_bytes: Option<u64>,
    used_bytes: Option<u64>,
    free_bytes: Option<u64>,
    volumes: Option<usize>,
    snapshots: Option<usize>,
    /// What is the matter, in words; nothing when all is well.
    condition: Vec<String>,
}

/// Prints the image pools.
pub(super) async fn run(options: LookOptions) -> Result<ExitCode, Failure> {
    let (config, node) = options.config.read()?;
    volumes::refuse_simulated(&config)?;
    let (mut lines, mut unreadable) = (Vec::new(), Unreadable::default());
    for settings in pools::image_pools(&config, &node) {
        let mut line = Line::of(&settings);
        match inspect(&settings).await {
            Ok(State::There(pool)) => {
                line.fill(&settings, &pool);
                let found = unreadable.keep(&settings.name, unwell(&settings).await);
                line.condition.extend(found.and_then(|all| count(all.len(), "unwell")));
            }
            Ok(State::Unmade) => line.condition.push("not made yet".to_owned()),
            Ok(State::Unmounted) => line.condition.push("not mounted: start the driver".to_owned()),
            Err(error) => {
                line.condition.push("cannot be read".to_owned());
                unreadable.keep::<()>(&settings.name, Err(error));
            }
        }
        lines.push(line);
    }
    options.output.output.print(&lines, "there are no pools")?;
    unreadable.end()
}

// === impl Line ===

impl Line {
    fn of(settings: &Settings) -> Self {
        let (provisioning, ratio) = match settings.provisioning {
            Provisioning::Thick => ("thick", None),
            Provisioning::Thin(ratio) => ("thin", Some(ratio.to_string())),
        };
        Self {
            name: settings.name.clone(),
            kind: "image",
            place: place(&settings.place).display().to_string(),
            provisioning,
            ratio,
            size_bytes: None,
            promised_bytes: None,
            used_bytes: None,
            free_bytes: None,
            volumes: None,
            snapshots: None,
            condition: Vec::new(),
        }
    }

    fn fill(&mut self, settings: &Settings, pool: &Inspection) {
        self.size_bytes = Some(pool.total.0);
        self.promised_bytes = Some(pool.promised.0);
        self.used_bytes = Some(pool.used.0);
        self.free_bytes = Some(pool.free.0);
        let (volumes, snapshots) = pool.count;
        (self.volumes, self.snapshots) = (Some(volumes), Some(snapshots));
        self.condition = condition(settings, pool);
    }
}

fn place(place: &Place) -> &Path {
    match place {
        Place::Device(path)
        | Place::File { path, .. }
        | Place::Directory { path, .. }
        | Place::DefaultAt(path) => path,
    }
}

/// Returns what is the matter with the pool, in words.
fn condition(settings: &Settings, pool: &Inspection) -> Vec<String> {
    let words = [
        (pool.name != settings.name).then(|| format!("is pool {:?}", pool.name)),
        (pool.node != settings.node).then(|| format!("of node {}", pool.node)),
        (pool.free < settings.low_water.of(pool.total)).then(|| "little room".to_owned()),
        (!pool.reflink).then(|| "no instant copies".to_owned()),
        count(pool.damaged.len(), "damaged"),
        count(pool.frozen.len(), "marked as frozen"),
    ];
    words.into_iter().flatten().collect()
}

/// Returns how many there are, if there are any.
fn count(number: usize, what: &str) -> Option<String> {
    (number > 0).then(|| format!("{number} {what}"))
}

impl Row for Line {
    const COLUMNS: &'static [&'static str] = &[
        "name",
        "kind",
        "where",
        "promise",
        "size",
        "promised",
        "used",
        "free",
        "volumes",
        "snapshots",
        "condition",
    ];

    fn cells(&self) -> Vec<String> {
        let none = || "-".to_owned();
        let bytes = |found: Option<u64>| found.map_or_else(none, |it| Rough(Bytes(it)).to_string());
        let count = |found: Option<usize>| found.map_or_else(none, |it| it.to_string());
        let promise = match &self.ratio {
            Some(ratio) => format!("{} ×{ratio}", self.provisioning),
            None => self.provisioning.to_owned(),
        };
        let well = || "well".to_owned();
        let is_well = self.condition.is_empty();
        vec![
            self.name.clone(),
            self.kind.to_owned(),
            self.place.clone(),
            promise,
            bytes(self.size_bytes),
            bytes(self.promised_bytes),
            bytes(self.used_bytes),
            bytes(self.free_bytes),
            count(self.volumes),
            count(self.snapshots),
            if is_well { well() } else { self.condition.join(", ") },
        ]
    }
}
