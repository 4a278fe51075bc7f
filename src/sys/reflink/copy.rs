//! Copies that keep the holes, for where bytes cannot be shared.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::{SeekFrom, copy_file_range, ftruncate, seek};
use rustix::io::Errno;

use crate::sys::failure::{Doing, Result};

/// How much is read and written at once where the kernel does not copy by itself.
const BUFFER: usize = 1 << 20;

/// Copies what was written of `src` to the empty file `dst`; the rest becomes holes. Returns the bytes copied.
pub fn copy_extents(src: &File, dst: &File) -> Result<u64> {
    let doing = || "copy the extents of a file";
    let len = src.metadata().doing(doing)?.len();
    ftruncate(dst, len).doing(doing)?;
    let mut copied = 0;
    for segment in segments(src, len) {
        let (begin, end) = segment.doing(doing)?;
        copy_segment(src, dst, begin, end).doing(doing)?;
        copied += end - begin;
    }
    Ok(copied)
}

/// Returns where the data of `file` begins and ends, piece by piece, up to `len`.
pub(super) fn segments(
    file: &File,
    len: u64,
) -> impl Iterator<Item = rustix::io::Result<(u64, u64)>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at >= len {
            return None;
        }
        let segment = next_segment(file, at);
        // After an error there is nothing more to return.
        at = match segment {
            Ok(Some((_, end))) => end,
            Ok(None) | Err(_) => len,
        };
        segment
            .transpose()
            .map(|segment| segment.map(|(begin, end)| (begin.min(len), end.min(len))))
    })
}

fn next_segment(file: &File, at: u64) -> rustix::io::Result<Option<(u64, u64)>> {
    let begin = match seek(file, SeekFrom::Data(at)) {
        // There is only a hole between here and the end.
        Err(Errno::NXIO) => return Ok(None),
        answer => answer?,
    };
    let end = seek(file, SeekFrom::Hole(begin))?;
    // A file that is truncated at this moment could otherwise hold us here for ever.
    Ok((end > begin).then_some((begin, end)))
}

fn copy_segment(src: &File, dst: &File, begin: u64, end: u64) -> io::Result<()> {
    let (mut from, mut to) = (begin, begin);
    while from < end {
        let wanted = usize::try_from(end - from).unwrap_or(usize::MAX);
        match copy_file_range(src, Some(&mut from), dst, Some(&mut to), wanted) {
            // Some file systems return zero where they will not do it.
            Ok(0) | Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                return copy_by_hand(src, dst, from, end);
            }
            answer => answer?,
        };
    }
    Ok(())
}

fn copy_by_hand(src: &File, dst: &File, begin: u64, end: u64) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    let mut at = begin;
    while at < end {
        let wanted = usize::try_from(end - at).unwrap_or(BUFFER).min(BUFFER);
        let piece = buffer.get_mut(..wanted).unwrap_or_default();
        src.read_exact_at(piece, at)?;
        dst.write_all_at(piece, at)?;
        at += piece.len() as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1 MiB with data in the middle and a hole before and after it.
    fn sparse() -> File {
        let file = tempfile::tempfile().unwrap();
        file.set_len(1 << 20).unwrap();
        file.write_all_at(&[7; 8192], 1 << 18).unwrap();
        file
    }

    #[test]
    fn holes_stay_holes() {
        let (src, dst) = (sparse(), tempfile::tempfile().unwrap());
        assert_eq!(copy_extents(&src, &dst).unwrap(), 8192);
        let there = segments(&dst, 1 << 20).collect::<Result<Vec<_>, _>>().unwrap();
        assert_eq!(there, [(1 << 18, (1 << 18) + 8192)]);
        assert_eq!(dst.metadata().unwrap().len(), 1 << 20);
    }

    #[test]
    fn copying_by_hand_is_the_same() {
        let (src, dst) = (sparse(), tempfile::tempfile().unwrap());
        copy_by_hand(&src, &dst, 0, 1 << 20).unwrap();
        let read = |file: &File| {
            let mut bytes = vec![0; 1 << 20];
            file.read_exact_at(&mut bytes, 0).unwrap();
            bytes
        };
        assert!(read(&src) == read(&dst));
    }

    #[test]
    fn an_empty_file_has_no_segments() {
        assert_eq!(segments(&tempfile::tempfile().unwrap(), 0).count(), 0);
        let hole = tempfile::tempfile().unwrap();
        hole.set_len(1 << 20).unwrap();
        assert_eq!(segments(&hole, 1 << 20).count(), 0);
    }
}
