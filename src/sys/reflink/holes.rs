//! Gives a file its space, and takes back what it does not need.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use rustix::fs::{FallocateFlags, fallocate};

use super::copy::segments;
use crate::sys::failure::{Doing, Result};

/// The unit in which zeros are looked for: a block of every file system that we use.
const BLOCK: usize = 4096;

/// How much is read at once.
const BUFFER: usize = 1 << 20;

/// Makes a hole of the `len` bytes from `offset` on: they read as zeros and take no space.
pub fn punch_hole(file: &File, offset: u64, len: u64) -> Result<()> {
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    fallocate(file, flags, offset, len).doing(|| format!("punch a hole of {len} bytes at {offset}"))
}

/// Makes `file` at least `len` bytes long and gives it space for all of them.
pub fn allocate(file: &File, len: u64) -> Result<()> {
    fallocate(file, FallocateFlags::empty(), 0, len).doing(|| format!("allocate {len} bytes"))
}

/// Makes holes of all blocks that were written with zeros. Returns how many bytes that was.
pub fn punch_zeros(file: &File) -> Result<u64> {
    let doing = || "look for zeros in a file";
    let len = file.metadata().doing(doing)?.len();
    let mut buffer = vec![0; BUFFER];
    let mut punched = 0;
    for segment in segments(file, len) {
        let (mut at, end) = segment.doing(doing)?;
        while at < end {
            let wanted = usize::try_from(end - at).unwrap_or(BUFFER).min(BUFFER);
            let piece = buffer.get_mut(..wanted).unwrap_or_default();
            file.read_exact_at(piece, at).doing(doing)?;
            for zeros in zero_runs(piece) {
                punch_hole(file, at + zeros.start, zeros.end - zeros.start)?;
                punched += zeros.end - zeros.start;
            }
            at += piece.len() as u64;
        }
    }
    Ok(punched)
}

/// Returns where in `bytes` there are whole blocks of zeros, neighbours joined.
fn zero_runs(bytes: &[u8]) -> Vec<Range<u64>> {
    const STEP: u64 = BLOCK as u64;
    let mut runs: Vec<Range<u64>> = Vec::new();
    let starts = (0..).step_by(BLOCK);
    for (start, block) in starts.zip(bytes.chunks_exact(BLOCK)) {
        if block.iter().any(|&byte| byte != 0) {
            continue;
        }
        match runs.last_mut().filter(|run| run.end == start) {
            Some(run) => run.end += STEP,
            None => runs.push(start..start + STEP),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_blocks_of_zeros_are_found() {
        let blocks = |pattern: &str| -> Vec<u8> {
            pattern.bytes().flat_map(|byte| [byte - b'0'; BLOCK]).collect()
        };
        let found = |pattern| -> Vec<_> {
            zero_runs(&blocks(pattern)).into_iter().map(|run| (run.start, run.end)).collect()
        };
        for (pattern, expected) in [
            ("", vec![]),
            ("0", vec![(0, 4096)]),
            ("1", vec![]),
            ("00100", vec![(0, 8192), (12288, 20480)]),
            ("101", vec![(4096, 8192)]),
        ] {
            assert_eq!(found(pattern), expected, "{pattern}");
        }
        let mut nearly = blocks("0");
        nearly[4095] = 1;
        assert_eq!(zero_runs(&nearly), []);
        assert_eq!(zero_runs(&[0; 4095]), []);
    }

    #[test]
    fn zeros_become_holes_and_the_rest_stays() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(4 << 20).unwrap();
        file.write_all_at(&vec![0; 3 << 20], 0).unwrap();
        file.write_all_at(b"here", 1 << 20).unwrap();
        assert_eq!(punch_zeros(&file).unwrap(), (3 << 20) - 4096);
        let left = segments(&file, 4 << 20).collect::<Result<Vec<_>, _>>().unwrap();
        assert_eq!(left, [(1 << 20, (1 << 20) + 4096)]);
        let mut found = [0; 4];
        file.read_exact_at(&mut found, 1 << 20).unwrap();
        assert_eq!(&found, b"here");
        assert_eq!(punch_zeros(&file).unwrap(), 0);
    }

    #[test]
    fn allocated_space_is_there_before_it_is_written() {
        use std::os::unix::fs::MetadataExt;
        let file = tempfile::tempfile().unwrap();
        allocate(&file, 1 << 20).unwrap();
        let metadata = file.metadata().unwrap();
        assert_eq!(metadata.len(), 1 << 20);
        assert!(metadata.blocks() * 512 >= 1 << 20);
        punch_hole(&file, 0, 1 << 20).unwrap();
        assert_eq!(file.metadata().unwrap().blocks(), 0);
    }
}
