//! `orlop detach`: clears the attach record of a volume that nothing uses.

use std::process::ExitCode;

use clap::Args;

use super::failure::Failure;
use super::options::ConfigOptions;
use super::{output, pools};
use crate::admin;
use crate::admin::client::{AdminError, connect};
use crate::csi::admin::DetachRequest;
use crate::locks::Locks;

/// Options of `orlop detach`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Options {
    /// The id of the volume, as `orlop volumes` shows it.
    #[arg(value_name = "VOLUME")]
    volume: String,

    /// Clear the record although the orchestrator never asked for it. What is mounted or open is refused all the same.
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    config: ConfigOptions,
}

const EXAMPLES: &str = "\
ControllerPublish writes down which node a volume is attached to, so that no
second one gets it. Usually the orchestrator clears that record. Where it has
lost its memory, this does, but only when the kernel shows no use.

Example:
  orlop detach v-f2868e1aa7cab669517cd9f5ab1b7957 --force";

/// Detaches the volume, by way of the driver if one runs.
pub(super) async fn run(options: Options) -> Result<ExitCode, Failure> {
    let (config, node) = options.config.read()?;
    let message = if let Some(mut driver) = connect(&config.admin_socket()?).await? {
        let request = DetachRequest { volume_id: options.volume, force: options.force };
        driver.detach(request).await.map_err(AdminError::Refused)?.into_inner().message
    } else {
        let opened = pools::open_made(&config, &node).await?;
        admin::detach(&opened.pools, &Locks::default(), &options.volume, options.force).await?
    };
    output::say(&message)?;
    Ok(ExitCode::SUCCESS)
}
