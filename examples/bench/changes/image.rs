//! An image with much in it, and changes all over that.

use std::fs::{File, OpenOptions};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use orlop::sys::blocking;
use rustix::fs::{Advice, fadvise};

use crate::driver::Result;

const BLOCK: u64 = 4096;

/// Behind what mkfs has written at the beginning.
const START: u64 = 1 << 30;

/// How much is written at once.
const PIECE: usize = 1 << 20;

/// Writes so many bytes in one go, and returns where they are.
pub(crate) async fn write(image: &Path, bytes: u64) -> Result<Range<u64>> {
    let image = image.to_owned();
    blocking(move || {
        let file = OpenOptions::new().write(true).open(&image)?;
        let piece = vec![0xA5; PIECE];
        for at in (START..START + bytes).step_by(PIECE) {
            file.write_all_at(&piece, at)?;
        }
        settle(&file)?;
        Ok(START..START + bytes)
    })
    .await
}

/// Writes to single blocks of the range at random, so many bytes in all and none of them twice. Returns how many
/// bytes that was.
pub(crate) async fn change(image: &Path, range: Range<u64>, bytes: u64) -> Result<u64> {
    let image = image.to_owned();
    blocking(move || {
        let file = OpenOptions::new().write(true).open(&image)?;
        let blocks = (range.end - range.start) / BLOCK;
        let mut is_changed = vec![false; usize::try_from(blocks)?];
        let (mut random, mut changed) = (0x9E37_79B9_7F4A_7C15_u64, 0);
        while changed < bytes {
            random = next(random);
            let block = random % blocks;
            let slot = is_changed.get_mut(usize::try_from(block)?).ok_or("no such block")?;
            if !std::mem::replace(slot, true) {
                file.write_all_at(&[0x5A; 4096], range.start + block * BLOCK)?;
                changed += BLOCK;
            }
        }
        settle(&file)?;
        Ok(changed)
    })
    .await
}

/// Writes the file to the disk, and lets the kernel forget its bytes: whoever wants one has to read it.
fn settle(file: &File) -> Result<()> {
    file.sync_all()?;
    Ok(fadvise(file, 0, None, Advice::DontNeed)?)
}

/// The next of a row of numbers that look random and are the same in each run (xorshift64).
fn next(mut number: u64) -> u64 {
    number ^= number << 13;
    number ^= number >> 7;
    number ^ (number << 17)
}
