//! Where a socket is, in the three forms that CSI users write: `unix:///a/b`, `unix:/a/b` and `/a/b`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::text::AbsolutePath;

/// The kernel's limit for the path of a Unix socket, without the byte that ends it.
const LONGEST: usize = 107;

/// The place of a Unix socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    path: PathBuf,
}

/// A text that is not an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAnEndpoint {
    /// Another protocol.
    #[error(
        "{0:?} is not a Unix socket: write unix:///run/orlop/csi.sock or a plain absolute path"
    )]
    OtherScheme(String),
    /// Not an absolute path, or one that names a directory.
    #[error(
        "{0:?} does not name a socket by an absolute path: write one such as unix:///run/orlop/csi.sock"
    )]
    NotAFile(String),
    /// More than the kernel takes.
    #[error("{path:?} has {length} bytes; the path of a socket may have {LONGEST}")]
    TooLong {
        /// The path.
        path: String,
        /// Its length.
        length: usize,
    },
}

// === impl Endpoint ===

impl Endpoint {
    /// Returns the endpoint at a path, if the path can be one.
    pub fn at(path: &Path) -> Result<Self, NotAnEndpoint> {
        let text = path.to_string_lossy();
        let not_a_file = || NotAnEndpoint::NotAFile(text.clone().into_owned());
        let AbsolutePath(plain) = text.parse().ok().ok_or_else(not_a_file)?;
        if text.ends_with('/') || plain.file_name().is_none() {
            return Err(not_a_file());
        }
        let length = plain.as_os_str().len();
        if length > LONGEST {
            return Err(NotAnEndpoint::TooLong { path: text.into_owned(), length });
        }
        Ok(Self { path: plain })
    }

    /// Returns the path of the socket.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl FromStr for Endpoint {
    type Err = NotAnEndpoint;

    fn from_str(text: &str) -> Result<Self, NotAnEndpoint> {
        let path = match text.strip_prefix("unix://").or_else(|| text.strip_prefix("unix:")) {
            Some(path) => path,
            None if text.contains("://") => {
                return Err(NotAnEndpoint::OtherScheme(text.to_owned()));
            }
            None => text,
        };
        Self::at(Path::new(path))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unix://{}", self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_forms_mean_the_same_socket() {
        for text in
            ["unix:///run/csi.sock", "unix:/run/csi.sock", "/run/csi.sock", "/run//csi.sock"]
        {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!(endpoint.to_string(), "unix:///run/csi.sock");
        }
    }

    #[test]
    fn what_is_no_socket_is_refused_with_the_reason() {
        let long = format!("/{}", "x".repeat(LONGEST));
        for (text, part) in [
            ("", "absolute path"),
            ("csi.sock", "absolute path"),
            ("unix://csi.sock", "absolute path"),
            ("unix:///", "absolute path"),
            ("/run/orlop/", "absolute path"),
            ("/run/../csi.sock", "absolute path"),
            ("@abstract", "absolute path"),
            ("tcp://127.0.0.1:9000", "not a Unix socket"),
            (long.as_str(), "has 108 bytes"),
        ] {
            let mistake = text.parse::<Endpoint>().unwrap_err().to_string();
            assert!(mistake.contains(part), "{text}: {mistake}");
        }
        assert!(long.get(..LONGEST).unwrap().parse::<Endpoint>().is_ok());
    }
}
