//! Finishes a copy of an ext4.

use super::{Copy, private};
use crate::backend::image::copy::Error;
use crate::fault;
use crate::fs::{self, grow};
use crate::sys::capability::{self, Capability};

/// Brings it in order first, without which tune2fs and resize2fs would refuse.
pub(super) async fn finish(copy: &Copy<'_>) -> Result<(), Error> {
    fs::check(copy.image, copy.fs, copy.lock()?).await?;
    fault::point("finish: checked");
    copy.name().await?;
    if !copy.is_short().await? {
        return Ok(());
    }
    // The kernel grows it in its journal, so that a power cut does no harm; but it lets not everybody.
    if capability::has(Capability::SysResource)? {
        private::visit(copy, &[]).await?;
    } else {
        grow::unmounted_ext4(copy.image, copy.lock()?).await?;
        fault::point("finish: grown");
    }
    Ok(())
}
