//! Catches what a program writes.
//!
//! Into memory and not through a pipe: a program that outlives us must not be killed by SIGPIPE in the middle
//! of its work, and nobody has to keep reading for it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::process::Stdio;

use rustix::fs::{MemfdFlags, SealFlags};

/// How much a program can write. The kernel refuses the rest, so that a talkative one cannot fill the memory;
/// pages are only used when they are written.
const ROOM: u64 = 1 << 20;

/// How much of its end we look at.
const TAIL: u64 = 64 << 10;

/// A piece of memory that a program writes to.
#[derive(Debug)]
pub(super) struct Capture(File);

// === impl Capture ===

impl Capture {
    /// Creates an empty one.
    pub(super) fn new() -> io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = File::from(rustix::fs::memfd_create("output", flags)?);
        file.set_len(ROOM)?;
        rustix::fs::fcntl_add_seals(&file, SealFlags::GROW)?;
        Ok(Self(file))
    }

    /// Returns the end that the program gets.
    pub(super) fn end(&self) -> io::Result<Stdio> {
        Ok(self.0.try_clone()?.into())
    }

    /// Returns the last of what was written so far.
    pub(super) fn tail(&self) -> io::Result<String> {
        // Both ends share one position: it is where the program stopped writing.
        let written = rustix::fs::tell(&self.0)?.min(ROOM);
        let begin = written.saturating_sub(TAIL);
        let mut bytes = vec![0; usize::try_from(written - begin).unwrap_or_default()];
        self.0.read_exact_at(&mut bytes, begin)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_last_words_are_kept_and_the_flood_is_stopped() {
        let capture = Capture::new().unwrap();
        assert_eq!(capture.tail().unwrap(), "");
        let mut end = capture.0.try_clone().unwrap();
        end.write_all(b"hello").unwrap();
        assert_eq!(capture.tail().unwrap(), "hello");
        end.write_all(&vec![b'x'; 100_000]).unwrap();
        end.write_all(b"end").unwrap();
        let tail = capture.tail().unwrap();
        assert_eq!(tail.len() as u64, TAIL);
        assert!(tail.ends_with("xxend"));
        assert!(end.write_all(&vec![b'x'; 2 << 20]).is_err());
        assert_eq!(capture.tail().unwrap().len() as u64, TAIL);
    }
}
