//! Every verb of the program, and how each ends: 0 for well, 1 for failed, 2 for a wrong command line or config, 3
//! where `check` found something.

mod adopt;
mod age;
mod check;
mod crds;
mod detach;
mod doctor;
mod export;
mod failure;
mod import;
mod log_level;
mod options;
mod output;
mod pool_list;
mod pools;
mod rough;
mod run;
mod runtime;
mod snapshots;
mod unreadable;
mod volumes;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use failure::{Failure, tell};
pub use runtime::runtime;

use options::{DriverOptions, LookOptions};
use run::Mode;

/// Orlop: volumes that are what they say, for Kubernetes and any other CSI orchestrator.
///
/// The size is enforced, snapshots and clones are instant, and nothing is lost when a node or the driver dies.
/// `orlop all` is the whole driver in one process; it needs no Kubernetes and no config.
#[derive(Debug, Parser)]
#[command(name = "orlop", version, arg_required_else_help = true, max_term_width = 100, after_long_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serve the Controller and the Node service on one socket: the whole driver.
    #[command(after_long_help = run::ALL_EXAMPLES)]
    All(DriverOptions),
    /// Serve the Controller service alone.
    #[command(after_long_help = run::APART)]
    Controller(DriverOptions),
    /// Serve the Node service alone.
    #[command(after_long_help = run::APART)]
    Node(DriverOptions),
    /// Check this machine, the config and the pools, and say what to do about what is wrong.
    #[command(after_long_help = doctor::EXAMPLES)]
    Doctor(LookOptions),
    /// List the pools: what they are, have and have promised.
    #[command(after_long_help = pool_list::EXAMPLES)]
    Pools(LookOptions),
    /// List the volumes, as the pools have them.
    Volumes(volumes::Options),
    /// List the snapshots, as the pools have them.
    #[command(after_long_help = snapshots::EXAMPLES)]
    Snapshots(LookOptions),
    /// Verify the pools on their disks; with --repair, adopt or discard what nobody accounts for.
    Check(check::Options),
    /// Accept this node for a pool that belongs to another node id; or print the objects of what lies in the pools.
    Adopt(adopt::Options),
    /// Clear the attach record of a volume that nothing on this node uses any more.
    Detach(detach::Options),
    /// Make a volume of an image file, and print its PersistentVolume.
    Import(import::Options),
    /// Write the image of a volume or snapshot to a file.
    Export(export::Options),
    /// Print the definitions of Orlop's custom resources, for `kubectl apply`.
    #[command(after_long_help = crds::EXAMPLES)]
    Crds,
    /// Change what the running driver logs.
    LogLevel(log_level::Options),
}

const EXAMPLES: &str = "\
Examples:
  orlop all                       the driver, with a pool for trying out in /var/lib/orlop
  orlop all --config orlop.yaml   with pools of your own; `orlop all --help` shows the file
  orlop doctor                    what is missing on this machine, and what to do
  orlop volumes --watch           what there is, also while the driver runs
  orlop check                     whether the pools on their disks are whole
  orlop snapshots --output json   the same for programs

Exit codes: 0 well, 1 failed, 2 a wrong command line or config, 3 check found
something.";

// === impl Cli ===

impl Cli {
    /// Does what the verb says.
    pub async fn run(self) -> Result<ExitCode, Failure> {
        match self.verb {
            Verb::All(options) => run::run(Mode::All, options).await,
            Verb::Controller(options) => run::run(Mode::Controller, options).await,
            Verb::Node(options) => run::run(Mode::Node, options).await,
            Verb::Doctor(options) => doctor::run(options).await,
            Verb::Pools(options) => pool_list::run(options).await,
            Verb::Volumes(options) => volumes::run(options).await,
            Verb::Snapshots(options) => snapshots::run(options).await,
            Verb::Check(options) => check::run(options).await,
            Verb::Adopt(options) => adopt::run(options).await,
            Verb::Detach(options) => detach::run(options).await,
            Verb::Import(options) => import::run(options).await,
            Verb::Export(options) => export::run(options).await,
            Verb::Crds => crds::run(),
            Verb::LogLevel(options) => log_level::run(options).await,
        }
    }
}
