//! `orlop import`: makes a volume of an image file, and prints the PersistentVolume that speaks of it.

mod manifest;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::failure::Failure;
use super::options::{ConfigOptions, absolute};
use super::{output, pools, volumes};
use crate::admin;
use crate::admin::client::{AdminError, connect};
use crate::csi::admin::ImportRequest;
use crate::locks::Locks;
use manifest::Manifest;

/// Options of `orlop import`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Options {
    /// The file: a raw image of a file system or of a whole disk.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The name of the volume, as CreateVolume would have it; also that of the PersistentVolume.
    #[arg(long, value_name = "NAME")]
    name: String,

    /// The pool, as the config names it [default: the only one, or the one named default].
    #[arg(long, value_name = "POOL")]
    pool: Option<String>,

    /// Remove the file when the volume is real, and let its file system keep its UUID.
    #[arg(long = "move")]
    moved: bool,

    /// Make it a raw block volume, whatever is in it.
    #[arg(long)]
    raw: bool,

    #[command(flatten)]
    config: ConfigOptions,
}

const EXAMPLES: &str = "\
The image becomes a volume of its size, rounded up to 4096 bytes. On the pool's
own file system that takes no space and no time; elsewhere what was written is
copied. The file must not be in use, and stays as it is unless it is moved.

An image of xfs, ext4 or btrfs becomes a volume with that file system. It gets a
new UUID, so that it can be mounted beside its original, and is mounted once for
proof: sectors and blocks of other than 4096 bytes are refused. Anything else
becomes a raw block volume, with sectors of 512 bytes where it has a partition
table of such.

What is printed is a PersistentVolume, to be applied and then claimed by name.
Where a driver runs, it does the work, and must see the file under the same path.

Examples:
  orlop import --name legacy-db /srv/images/db.img | kubectl apply -f -
  orlop import --pool fast --name vm-7 --move /srv/images/vm-7.raw
  orlop import --name vm-8 --raw /srv/images/vm-8.img";

/// Imports the file, by way of the driver if one runs.
pub(super) async fn run(options: Options) -> Result<ExitCode, Failure> {
    let (config, node) = options.config.read()?;
    volumes::refuse_simulated(&config)?;
    let file = absolute(&options.file)?;
    let request = ImportRequest {
        pool: options.pool.unwrap_or_default(),
        name: options.name.clone(),
        file,
        r#move: options.moved,
        raw: options.raw,
    };
    let imported = if let Some(mut driver) = connect(&config.admin_socket()?).await? {
        driver.import(request).await.map_err(AdminError::Refused)?.into_inner()
    } else {
        let opened = pools::open_made(&config, &node).await?;
        admin::import(&opened.pools, &Locks::default(), request).await?
    };
    if !imported.warning.is_empty() {
        output::warn(&imported.warning)?;
    }
    let manifest = Manifest { name: &options.name, node: node.as_str(), volume: &imported };
    output::say(manifest.to_string().trim_end())?;
    Ok(ExitCode::SUCCESS)
}
