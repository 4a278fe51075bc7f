//! Gives back the memory of the program's own code and constants that are not needed any more.
//!
//! A start runs most of the code once: the linker, the config, the scan of the pools. Its pages stay with the process,
//! and count as memory that is in use, until something forces the kernel to look for them.

#![expect(unsafe_code, reason = "madvise takes addresses")]

use std::ffi::c_void;
use std::ops::Range;

use rustix::mm::{Advice, madvise};

use super::failure::{Doing, Result};

const MAPS: &str = "/proc/self/smaps";

/// A piece of a file that is mapped, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mapping {
    range: Range<usize>,
    /// Whether it is code or constants from a file.
    is_of_file: bool,
    /// Whether it is in all as the file has it. What the linker has put in is in no file.
    is_as_in_file: bool,
}

/// Lets go of all pages of code and of constants. What is needed next is mapped again from the file, of which the
/// kernel keeps a copy.
pub fn give_back() -> Result<()> {
    let text = std::fs::read_to_string(MAPS).doing(|| format!("read {MAPS}"))?;
    for mapping in mappings(&text).into_iter().filter(Mapping::can_go) {
        let start = std::ptr::with_exposed_provenance_mut::<c_void>(mapping.range.start);
        // SAFETY: the pages belong to a file, are not writable and were never written to, so that whatever touches
        // them next, in whatever thread, finds the same bytes.
        unsafe { madvise(start, mapping.range.len(), Advice::LinuxDontNeed) }
            .doing(|| "give back pages of code")?;
    }
    Ok(())
}

fn mappings(text: &str) -> Vec<Mapping> {
    let mut all: Vec<Mapping> = Vec::new();
    for line in text.lines() {
        if let Some(mapping) = Mapping::of_line(line) {
            all.push(mapping);
        } else if let (Some(mapping), Some("0 kB")) =
            (all.last_mut(), line.strip_prefix("Anonymous:").map(str::trim))
        {
            mapping.is_as_in_file = true;
        }
    }
    all
}

// === impl Mapping ===

impl Mapping {
    /// Reads the line that begins what is told of a mapping; other lines begin with a key.
    fn of_line(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let (range, rights) = (words.next()?, words.next()?);
        let (start, end) = range.split_once('-')?;
        let address = |digits| usize::from_str_radix(digits, 16).ok();
        let range = address(start)?..address(end)?;
        // Behind the offset, the device and the inode; the kernel's own code has a name in brackets.
        let has_file = words.nth(3).is_some_and(|name| name.starts_with('/'));
        let is_of_file = has_file && ["r-xp", "r--p"].contains(&rights);
        Some(Self { range, is_of_file, is_as_in_file: false })
    }

    fn can_go(&self) -> bool {
        self.is_of_file && self.is_as_in_file
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_as_in_its_file_is_given_back() {
        let one = |line: &str, anonymous: &str| {
            mappings(&format!("{line}\nRss:    8 kB\nAnonymous:    {anonymous}\nVmFlags: rd mr\n"))
        };
        for (line, anonymous, goes) in [
            ("55e000-55f000 r-xp 00001000 fe:00 12 /usr/bin/orlop", "0 kB", true),
            ("55f000-560000 r--p 00002000 fe:00 12 /usr/bin/orlop", "0 kB", true),
            ("55f000-560000 r--p 00002000 fe:00 12 /usr/bin/orlop", "4 kB", false),
            ("560000-561000 rw-p 00003000 fe:00 12 /usr/bin/orlop", "0 kB", false),
            ("7ffd000-7ffe000 r-xp 00000000 00:00 0 [vdso]", "0 kB", false),
            ("7ffd000-7ffe000 r--p 00000000 00:00 0", "0 kB", false),
        ] {
            let [mapping] = &*one(line, anonymous) else { panic!("{line}") };
            assert_eq!(mapping.can_go(), goes, "{line:?} {anonymous}");
        }
        let [mapping] = &*one("55e000-55f000 r-xp 0 fe:00 12 /x", "0 kB") else { panic!() };
        assert_eq!(mapping.range, 0x55_e000..0x55_f000);
        // What the kernel does not tell is not believed.
        let [mapping] = &*mappings("55e000-55f000 r-xp 0 fe:00 12 /x\n") else { panic!() };
        assert!(!mapping.can_go());
    }

    #[test]
    fn the_program_goes_on() {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || {
            let mut rounds = 0_usize;
            while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                rounds = rounds.wrapping_add(format!("{rounds}").len());
            }
        });
        for _ in 0..100 {
            give_back().unwrap();
        }
        drop(stop);
        other.join().unwrap();
    }
}
