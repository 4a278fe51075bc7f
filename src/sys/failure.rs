//! The one error of this module: what was being done, what the kernel answered, and its own words if it had any.
//!
//! It carries no meaning for a user. The layers above translate the few errno values that mean something to
//! them (no space, not found) and report the rest as it is.

use std::error::Error;
use std::fmt;
use std::io;

use rustix::io::Errno;

/// What a function of this module returns.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// Something that the kernel would not do.
#[derive(Debug)]
pub struct Failure {
    /// The action in a few words that follow "cannot", such as `mount /dev/loop3 at /x`.
    pub doing: String,
    /// The kernel's answer.
    pub source: io::Error,
    /// The kernel's own message, which mount contexts have: the errno alone is nearly always EINVAL.
    pub kernel: Option<String>,
}

/// Puts into words what was being done when a call failed.
pub trait Doing<T> {
    /// Returns the value, or a [`Failure`] that says what could not be done.
    fn doing<S: Into<String>>(self, what: impl FnOnce() -> S) -> Result<T>;
}

impl Failure {
    /// Creates a failure from the kernel's answer.
    pub fn new(doing: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self { doing: doing.into(), source: source.into(), kernel: None }
    }

    /// Creates a failure that we decided on ourselves, after looking at what the kernel said.
    pub fn refused(doing: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(doing, io::Error::other(reason.into()))
    }

    /// Adds the kernel's own message.
    #[must_use]
    pub fn with_kernel_message(mut self, message: Option<String>) -> Self {
        self.kernel = message;
        self
    }

    /// Returns the errno, or nothing when the refusal was ours.
    pub fn errno(&self) -> Option<Errno> {
        Errno::from_io_error(&self.source)
    }

    /// Says whether space ran out, on the file system or in a quota.
    pub fn is_no_space(&self) -> bool {
        matches!(self.errno(), Some(Errno::NOSPC | Errno::DQUOT))
    }

    /// Says whether a mounted file system answered as one does that has met an error and has stopped over it.
    pub fn is_of_stopped(&self) -> bool {
        matches!(self.errno(), Some(Errno::ROFS | Errno::IO | Errno::UCLEAN))
    }

    /// Says whether the thing to act on does not exist.
    pub fn is_not_found(&self) -> bool {
        self.errno() == Some(Errno::NOENT)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}", self.doing)?;
        match &self.kernel {
            Some(message) => write!(f, " ({message})"),
            None => Ok(()),
        }
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing<S: Into<String>>(self, what: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|source| Failure::new(what(), source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_its_own_part_and_the_kernels_words() {
        let plain = Failure::new("mount /dev/loop3 at /x", Errno::INVAL);
        assert_eq!(plain.to_string(), "cannot mount /dev/loop3 at /x");
        let spoken = plain.with_kernel_message(Some("xfs: Unknown parameter 'nosuch'".into()));
        let expected = "cannot mount /dev/loop3 at /x (xfs: Unknown parameter 'nosuch')";
        assert_eq!(spoken.to_string(), expected);
        assert_eq!(spoken.source().unwrap().to_string(), "Invalid argument (os error 22)");
    }

    #[test]
    fn meanings_are_read_from_the_errno() {
        for (errno, no_space, not_found) in [
            (Errno::NOSPC, true, false),
            (Errno::DQUOT, true, false),
            (Errno::NOENT, false, true),
            (Errno::IO, false, false),
        ] {
            let failure: Failure = Err::<(), _>(errno).doing(|| "x").unwrap_err();
            assert_eq!(failure.errno(), Some(errno));
            assert_eq!((failure.is_no_space(), failure.is_not_found()), (no_space, not_found));
        }
        assert_eq!(Failure::refused("attach", "too big").errno(), None);
        let nix = Err::<(), _>(nix::errno::Errno::ENOSPC).doing(|| "x").unwrap_err();
        assert!(nix.is_no_space());
    }
}
