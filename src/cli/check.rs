//! `orlop check`: whether the pools on their disks are what they say, and what to do with what nobody accounts for.

mod report;

use std::process::ExitCode;

use clap::Args;

use super::failure::Failure;
use super::options::ConfigOptions;
use super::output::OutputOption;
use super::unreadable::Unreadable;
use super::{pools, volumes};
use crate::backend::image::Settings;
use crate::backend::image::check::{Wish, check, repair};
use crate::config::{Config, NodeId};
use crate::error::{Error, Result};
use crate::volume::Name;
use report::Report;

/// Something was found that somebody has to see to.
const FAULTS: u8 = 3;

/// Options of `orlop check`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Options {
    /// The pool, as the config names it [default: all of them].
    #[arg(value_name = "POOL")]
    pool: Option<String>,

    /// Say what a repair would do with the orphans: adopt them, or move them to the trash.
    #[arg(long)]
    repair: bool,

    /// Do it. The driver of the pool must not be running.
    #[arg(long, requires = "repair")]
    yes: bool,

    /// A name that a volume without a record had, such as that of its PersistentVolume; may be given several times.
    #[arg(long, value_name = "NAME", requires = "repair", value_parser = name)]
    name: Vec<Name>,

    /// Let go what has data, too: what is in the trash is removed when the driver starts.
    #[arg(long, requires = "repair")]
    with_data: bool,

    #[command(flatten)]
    config: ConfigOptions,

    #[command(flatten)]
    output: OutputOption,
}

const EXAMPLES: &str = "\
Looks at every file of a pool: whether it is accounted for, whether each record
can be read, and whether each image has the size that its record says. Reads no
data. Where no driver runs it has the pool for itself, and mounts it if it has
to; beside a driver it looks twice, and reports what was there both times.

note    the driver deals with it, or it does no harm
orphan  nobody accounts for it: see --repair
error   a volume, a snapshot or the pool cannot be used as it is

Exit codes: 0 nothing but notes, 1 a pool could not be checked, 2 a wrong command
line or config, 3 there are orphans or errors.

Examples:
  orlop check
  orlop check fast --output json
  orlop check fast --repair                     what a repair would do
  orlop check fast --repair --yes --name pvc-1  does it";

/// Checks the pools, and repairs them where that is wanted.
pub(super) async fn run(options: Options) -> std::result::Result<ExitCode, Failure> {
    let (config, node) = options.config.read()?;
    volumes::refuse_simulated(&config)?;
    let (mut reports, mut unreadable) = (Vec::new(), Unreadable::default());
    for settings in chosen(&config, &node, options.pool.as_deref())? {
        let report = options.report(&settings).await;
        reports.extend(unreadable.keep(&settings.name, report));
    }
    report::print(&reports, options.output.output)?;
    let is_well = reports.iter().all(Report::is_well);
    match unreadable.end()? {
        _ if !is_well => Ok(ExitCode::from(FAULTS)),
        code => Ok(code),
    }
}

/// Returns the pool that is meant, or all of them.
fn chosen(
    config: &Config,
    node: &NodeId,
    name: Option<&str>,
) -> std::result::Result<Vec<Settings>, Failure> {
    let mut all = pools::image_pools(config, node);
    let Some(name) = name else { return Ok(all) };
    let names: Vec<String> = all.iter().map(|pool| pool.name.clone()).collect();
    all.retain(|pool| pool.name == name);
    if all.is_empty() {
        let there = names.join(", ");
        return Err(Failure::misconfigured(format!(
            "there is no pool {name:?} in the config; there is: {there}"
        )));
    }
    Ok(all)
}

fn name(text: &str) -> std::result::Result<Name, Error> {
    Name::parse(text)
}

// === impl Options ===

impl Options {
    async fn report(&self, settings: &Settings) -> Result<Report> {
        let not_made = || {
            let place = settings.place_name();
            Error::unfit(format!("{place} has not been made yet: there is nothing to check"))
        };
        if !self.repair {
            let checked = check(settings).await?.ok_or_else(not_made)?;
            return Ok(Report::of(&settings.name, &checked));
        }
        let (names, with_data, act) = (self.name.clone(), self.with_data, self.yes);
        let repaired = repair(settings, Wish { names, with_data, act }).await?;
        Ok(Report::of_repair(&settings.name, &repaired.ok_or_else(not_made)?))
    }
}
