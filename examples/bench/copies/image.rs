//! An image in many pieces, and the proof that a copy shares all of them.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use orlop::sys::blocking;
use orlop::sys::extents::{self, Extents};

use crate::driver::Result;

const BLOCK: [u8; 4096] = [0xA5; 4096];

/// What mkfs.xfs makes of a volume of this size: so many parts, each of which begins with what we must not touch.
const PARTS: u64 = 4;
const UNTOUCHED: u64 = 1 << 30;

/// Writes `pieces` single blocks into the image of an XFS that nobody has mounted, far enough apart that each is
/// an extent, where the XFS has nothing yet. Returns how many extents the image has now.
pub(crate) async fn scatter(image: &Path, bytes: u64, pieces: u32) -> Result<u32> {
    let image = image.to_owned();
    blocking(move || {
        let file = OpenOptions::new().read(true).write(true).open(&image)?;
        let (part, each) = (bytes / PARTS, u64::from(pieces) / PARTS);
        let stride = ((part - UNTOUCHED) / each) & !4095;
        for number in 0..u64::from(pieces) {
            let at = (number / each) * part + UNTOUCHED + (number % each) * stride;
            file.write_all_at(&BLOCK, at)?;
        }
        file.sync_all()?;
        Ok(extents::count(&file)?)
    })
    .await
}

/// Checks that every byte of the copy lies where the original has it.
pub(crate) async fn check_shared(copy: &Path) -> Result<()> {
    let copy = copy.to_owned();
    blocking(move || {
        let file = File::open(&copy)?;
        for extent in Extents::synced(&file) {
            if !extent?.is_shared() {
                return Err("a copy has bytes of its own".into());
            }
        }
        Ok(())
    })
    .await
}
