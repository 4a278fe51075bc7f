//! Finishes a copy of an XFS.

use rustix::io::Errno;

use super::{Copy, private};
use crate::backend::image::copy::Error;
use crate::fs;

/// Only to replay and to grow it, beside the source whose UUID it still has: never for use.
const FLAGS: [&str; 1] = ["nouuid"];

/// Mounts it first: `xfs_db` changes nothing while the log is dirty, and only a mounted XFS grows.
pub(super) async fn finish(copy: &Copy<'_>) -> Result<(), Error> {
    let named = copy.is_named().await?;
    if named && !copy.is_short().await? {
        return Ok(());
    }
    match private::visit(copy, &FLAGS).await {
        Err(error) if !named && is_damaged(&error) => {
            rename_half_named(copy, error).await?;
            private::visit(copy, &FLAGS).await?;
        }
        outcome => outcome?,
    }
    copy.name().await
}

/// `xfs_db` first writes the log anew, under the new UUID, and then the superblocks. A kill in between leaves what
/// no kernel mounts, and `xfs_db` can finish. Where the log is really damaged it refuses; the first error is told
/// then.
async fn rename_half_named(copy: &Copy<'_>, error: fs::Error) -> Result<(), Error> {
    match copy.name().await {
        Ok(()) => Ok(()),
        Err(second) => {
            tracing::warn!(%second, "no change of the UUID was cut off here");
            Err(error.into())
        }
    }
}

fn is_damaged(error: &fs::Error) -> bool {
    matches!(error, fs::Error::Kernel(failure) if failure.errno() == Some(Errno::UCLEAN))
}
