//! Gives back the memory of the program's own code that is not needed any more.
//!
//! A start runs most of the code once: the config, the scan of the pools, what makes a file system. Its pages stay with
//! the process, and count as memory that is in use, until something forces the kernel to look for them.

#![expect(unsafe_code, reason = "madvise takes addresses")]

use std::ffi::c_void;
use std::ops::Range;

use rustix::mm::{Advice, madvise};

use super::failure::{Doing, Result};

const MAPS: &str = "/proc/self/maps";

/// Lets go of all pages of code. What runs next is mapped again from the file, of which the kernel keeps a copy.
pub fn give_back() -> Result<()> {
    let text = std::fs::read_to_string(MAPS).doing(|| format!("read {MAPS}"))?;
    for range in text.lines().filter_map(code_of_line) {
        let start = std::ptr::with_exposed_provenance_mut::<c_void>(range.start);
        // SAFETY: the pages belong to a file, are not writable and were never written to, so that whatever touches
        // them next, in whatever thread, finds the same bytes.
        unsafe { madvise(start, range.len(), Advice::LinuxDontNeed) }
            .doing(|| "give back pages of code")?;
    }
    Ok(())
}

/// Returns where the code is that this line is about, if it is about code from a file.
fn code_of_line(line: &str) -> Option<Range<usize>> {
    const CODE: &str = "r-xp";
    let mut words = line.split_ascii_whitespace();
    let (range, rights) = (words.next()?, words.next()?);
    // Behind the offset, the device and the inode; the kernel's own code has a name in brackets.
    let is_of_file = words.nth(3)?.starts_with('/');
    let (start, end) = range.split_once('-')?;
    let address = |digits| usize::from_str_radix(digits, 16).ok();
    (rights == CODE && is_of_file).then_some(address(start)?..address(end)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_of_files_is_given_back() {
        for (line, expected) in [
            ("55e000-55f000 r-xp 00001000 fe:00 12 /usr/bin/orlop", Some(0x55_e000..0x55_f000)),
            ("55f000-560000 r--p 00002000 fe:00 12 /usr/bin/orlop", None),
            ("560000-561000 rw-p 00003000 fe:00 12 /usr/bin/orlop", None),
            ("7ffd000-7ffe000 r-xp 00000000 00:00 0 [vdso]", None),
            ("7ffd000-7ffe000 r-xp 00000000 00:00 0", None),
            ("", None),
        ] {
            assert_eq!(code_of_line(line), expected, "{line:?}");
        }
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
