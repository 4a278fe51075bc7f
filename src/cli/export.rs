//! `orlop export`: writes the image of a volume or snapshot to a file.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::failure::Failure;
use super::options::{ConfigOptions, absolute};
use super::{output, pools, volumes};
use crate::admin;
use crate::admin::client::{AdminError, connect};
use crate::csi::admin::ExportRequest;
use crate::locks::Locks;

/// Options of `orlop export`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Options {
    /// The id of the volume or snapshot, as `orlop volumes` and `orlop snapshots` show it.
    #[arg(value_name = "VOLUME")]
    id: String,

    /// The file to write; its directory must exist.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Replace a file that is there already.
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    config: ConfigOptions,
}

const EXAMPLES: &str = "\
The file is a raw image, byte for byte what the volume's device would be, with
holes where nothing was written. On the pool's own file system it shares its
blocks with the volume and takes no space. It has its name only when it is whole.

A volume that is a device of this node is refused: unpublish it, or take a
snapshot and export that.

Examples:
  orlop export v-f2868e1aa7cab669517cd9f5ab1b7957 /backup/db.img
  orlop export s-0123456789abcdef0123456789abcdef /backup/db.img --force";

/// Exports the volume or snapshot, by way of the driver if one runs.
pub(super) async fn run(options: Options) -> Result<ExitCode, Failure> {
    let (config, node) = options.config.read()?;
    volumes::refuse_simulated(&config)?;
    let file = absolute(&options.file)?;
    let request = ExportRequest { id: options.id, file, force: options.force };
    let message = if let Some(mut driver) = connect(&config.admin_socket()?).await? {
        driver.export(request).await.map_err(AdminError::Refused)?.into_inner().message
    } else {
        let opened = pools::open_made(&config, &node).await?;
        admin::export(&opened.pools, &Locks::default(), request).await?
    };
    output::say(&message)?;
    Ok(ExitCode::SUCCESS)
}
