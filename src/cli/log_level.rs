//! `orlop log-level`: what the running driver logs from now on.

use std::process::ExitCode;

use clap::Args;

use super::failure::Failure;
use super::options::ConfigOptions;
use super::output;
use crate::admin::client::{AdminError, connect};
use crate::csi::admin::SetLogLevelRequest;
use crate::logging::Filter;

/// Options of `orlop log-level`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Options {
    /// A level (off, error, warn, info, debug, trace), with exceptions if you like.
    #[arg(value_name = "FILTER")]
    filter: Filter,

    #[command(flatten)]
    config: ConfigOptions,
}

const EXAMPLES: &str = "\
It holds until the driver is started again. debug shows every call, info the
calls that change something. Of libraries there are warnings only, unless one is
named.

Examples:
  orlop log-level debug
  orlop log-level info,orlop::backend=debug";

/// Changes the level of the driver that runs.
pub(super) async fn run(options: Options) -> Result<ExitCode, Failure> {
    let (config, _) = options.config.read()?;
    let socket = config.admin_socket()?;
    let Some(mut driver) = connect(&socket).await? else {
        return Err(Failure::failed(format!(
            "no driver listens on {socket}: is it running, with this config?"
        )));
    };
    let request = SetLogLevelRequest { filter: options.filter.to_string() };
    driver.set_log_level(request).await.map_err(AdminError::Refused)?;
    output::say(&format!("the driver logs at {} now", options.filter))?;
    Ok(ExitCode::SUCCESS)
}
