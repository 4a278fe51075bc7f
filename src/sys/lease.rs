//! Finds out whether anybody else has a file open, or open for writing: the kernel gives no lease on such a file.

#![expect(unsafe_code, reason = "no crate that we use wraps F_SETLEASE")]

use std::fs::File;
use std::os::fd::AsRawFd;

use nix::libc::{self, c_int};
use rustix::io::Errno;

use super::failure::{Doing, Result};

#[expect(clippy::cast_possible_wrap, reason = "the number of a command, which is small")]
const SET_SIGNAL: c_int = linux_raw_sys::general::F_SETSIG as c_int;

/// Says whether anybody has the file open for writing, a loop device included. `file` itself is open for reading.
///
/// A file system that knows no leases cannot tell: then nobody is assumed to.
pub fn has_writer(file: &File) -> Result<bool> {
    Ok(try_lease(file, libc::F_RDLCK)? == Answer::Refused)
}

/// Says whether nobody else has the file open, which proves that it is no loop device, swap or anything else.
///
/// A file system that knows no leases cannot tell, and a second descriptor of our own counts: then somebody may.
pub fn is_alone(file: &File) -> Result<bool> {
    Ok(try_lease(file, libc::F_WRLCK)? == Answer::Granted)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Granted,
    Refused,
    Unknown,
}

/// Takes a lease, and gives it back at once.
fn try_lease(file: &File, kind: c_int) -> Result<Answer> {
    // Somebody who opens the file while we have the lease is announced by a signal, and the usual one would end us.
    // This one is ignored.
    set(file, SET_SIGNAL, libc::SIGURG).doing(doing)?;
    match set(file, libc::F_SETLEASE, kind) {
        Ok(()) => {
            set(file, libc::F_SETLEASE, libc::F_UNLCK).doing(doing)?;
            Ok(Answer::Granted)
        }
        Err(Errno::AGAIN) => Ok(Answer::Refused),
        Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::ACCESS) => Ok(Answer::Unknown),
        Err(errno) => Err(errno).doing(doing),
    }
}

fn doing() -> &'static str {
    "find out who has a file open"
}

fn set(file: &File, command: c_int, value: c_int) -> rustix::io::Result<()> {
    // SAFETY: the descriptor is open for the whole call, and both commands take a number and no pointer.
    let answer = unsafe { libc::fcntl(file.as_raw_fd(), command, value) };
    if answer < 0 {
        return Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use super::*;

    #[test]
    fn a_writer_is_seen_and_a_reader_is_none() {
        let named = tempfile::NamedTempFile::new().unwrap();
        let reader = File::open(named.path()).unwrap();
        assert!(has_writer(&reader).unwrap(), "the one that made it");
        let path = named.into_temp_path();
        assert!(!has_writer(&reader).unwrap());
        let other = OpenOptions::new().append(true).open(&path).unwrap();
        assert!(has_writer(&reader).unwrap());
        drop(other);
        let _second_reader = File::open(&path).unwrap();
        assert!(!has_writer(&reader).unwrap());
    }

    #[test]
    fn whoever_else_has_a_file_open_is_seen() {
        let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        let ours = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        assert!(is_alone(&ours).unwrap());
        assert!(
            is_alone(&ours.try_clone().unwrap()).unwrap(),
            "a copy of a descriptor is the same opening"
        );
        for other in [OpenOptions::new().read(true), OpenOptions::new().append(true)] {
            let other = other.open(&path).unwrap();
            assert!(!is_alone(&ours).unwrap());
            drop(other);
            assert!(is_alone(&ours).unwrap());
        }
    }
}
