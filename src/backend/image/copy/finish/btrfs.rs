//! Finishes a copy of a btrfs.

use super::{Copy, private};
use crate::backend::image::copy::Error;

/// Names it first: the kernel must never see two devices with one UUID, be it for a moment. The log, if there
/// is one, waits for the next mount.
pub(super) async fn finish(copy: &Copy<'_>) -> Result<(), Error> {
    copy.name().await?;
    if copy.is_short().await? {
        private::visit(copy, &[]).await?;
    }
    Ok(())
}
