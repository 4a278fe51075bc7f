//! The command line.

use std::fmt;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Measures what Orlop promises, beside the same done by hand.
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// The driver's release binary.
    pub(crate) orlop: PathBuf,

    /// What to measure; everything if nothing is named.
    rows: Vec<Row>,

    /// How often each comparison is made; the median counts.
    #[arg(long, default_value_t = 7, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,

    /// A directory on a disk with some 20 GiB free [default: /var/tmp].
    #[arg(long, value_name = "DIR")]
    pub(crate) room: Option<PathBuf>,

    /// For how many minutes an idle cluster is watched.
    #[arg(long, default_value_t = 2, value_name = "MINUTES", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) idle: u32,

    /// End with 1 when a bar is missed.
    #[arg(long)]
    pub(crate) strict: bool,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Row {
    /// Volumes from create to delete, many at once.
    Lifecycle,
    /// Snapshots and clones of a large image.
    Copies,
    /// A group snapshot of volumes that are being written.
    Group,
    /// Which blocks changed between two snapshots.
    Changes,
    /// What a pod can read and write.
    Throughput,
    /// From the start of the driver to its first answer.
    Start,
    /// What the idle driver takes of the memory.
    Memory,
    /// How long a pod waits for its inline secrets, and what they take of the memory.
    Inline,
    /// How long a scrape of the metrics takes.
    Scrape,
    /// The size of the program.
    Size,
    /// How long the conformance suite takes.
    Sanity,
    /// A create through the objects of a cluster, beside the same without one.
    Cluster,
    /// What a controller of 10,000 volumes takes of the memory, and a node of 100.
    ClusterMemory,
    /// What an idle node and an idle controller ask the API server for.
    ClusterIdle,
}

// === impl Options ===

impl Options {
    pub(crate) fn rows(&self) -> Vec<Row> {
        let all = || Row::value_variants().to_vec();
        if self.rows.is_empty() { all() } else { self.rows.clone() }
    }
}

// === impl Row ===

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}
