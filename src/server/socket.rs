//! A private Unix socket: nobody but its owner can ever connect to it, and no other file is left beside it.
//!
//! A socket file that nobody listens on is what a killed driver leaves behind: it is replaced. One that
//! somebody listens on is somebody else's: it is refused. Two drivers that start at once are kept apart by a
//! lock on the directory, which leaves no file.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode};
use tokio::net::{UnixListener, UnixSocket, UnixStream};

use crate::config::Endpoint;

/// How many callers may wait to be accepted.
const BACKLOG: u32 = 128;

/// How long a listener may take to accept before it counts as alive all the same.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often, and how many times, the lock of the directory is tried.
const TRIES: (u32, Duration) = (250, Duration::from_millis(20));

/// A socket that listens, and its file.
#[derive(Debug)]
pub struct Socket {
    /// What accepts.
    pub listener: UnixListener,
    /// What callers find.
    pub file: SocketFile,
    /// Whether callers take its path for the name of the server.
    pub is_called_by_path: bool,
}

/// The file of a socket, removed on drop unless it is another one by then.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    identity: Option<(u64, u64)>,
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Where to put it is not there.
    #[error("cannot use the directory {} of the socket", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Somebody else holds the directory.
    #[error("another process keeps the directory {} locked", .0.display())]
    Locked(PathBuf),
    /// Something else is there.
    #[error("{} is there and is not a socket: remove it or choose another endpoint", .0.display())]
    NotASocket(PathBuf),
    /// Somebody listens on it.
    #[error("{} already listens on {}: stop it or choose another endpoint", by(*.pid), .path.display())]
    Live {
        /// The socket.
        path: PathBuf,
        /// The process, where the kernel tells it.
        pid: Option<i32>,
    },
    /// The kernel refuses.
    #[error("cannot {doing} the socket {}", path.display())]
    Failed {
        /// What was being done.
        doing: &'static str,
        /// The socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

// === impl Socket ===

impl Socket {
    /// Says now what [`Socket::listen`] would say, before anything else is done that would have to be undone.
    pub async fn check(endpoint: &Endpoint) -> Result<(), SocketError> {
        let path = endpoint.path();
        open_directory(path)?;
        is_stale(path).await.map(|_| ())
    }

    /// Listens at the endpoint.
    pub async fn listen(endpoint: &Endpoint) -> Result<Self, SocketError> {
        let path = endpoint.path();
        let failed =
            |doing| move |source| SocketError::Failed { doing, path: path.to_owned(), source };

        // Held until the socket listens: a second driver must not take it for a stale one before that.
        let directory = lock_directory(path).await?;
        if is_stale(path).await? {
            tracing::info!(socket = %path.display(), "replacing a socket that nobody listens on");
            fs::remove_file(path).map_err(failed("replace"))?;
        }

        let socket = UnixSocket::new_stream().map_err(failed("make"))?;
        // The file that bind makes takes the mode of the socket, so there is no instant in which it has another.
        rustix::fs::fchmod(socket.as_fd(), Mode::RUSR | Mode::WUSR)
            .map_err(|errno| failed("restrict")(errno.into()))?;
        socket.bind(path).map_err(failed("bind"))?;
        let file = SocketFile::of(path);
        let listener = socket.listen(BACKLOG).map_err(failed("listen on"))?;
        drop(directory);
        Ok(Self { listener, file, is_called_by_path: false })
    }
}

/// Locks the directory of the socket, for as long as it takes to set the socket up.
async fn lock_directory(socket: &Path) -> Result<File, SocketError> {
    let directory = open_directory(socket)?;
    let path = directory_of(socket).to_owned();
    let (tries, pause) = TRIES;
    for _ in 0..tries {
        match rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(directory),
            Err(rustix::io::Errno::WOULDBLOCK) => tokio::time::sleep(pause).await,
            Err(errno) => return Err(SocketError::Directory { path, source: errno.into() }),
        }
    }
    Err(SocketError::Locked(path))
}

fn open_directory(socket: &Path) -> Result<File, SocketError> {
    let path = directory_of(socket);
    File::open(path).map_err(|source| SocketError::Directory { path: path.to_owned(), source })
}

fn directory_of(socket: &Path) -> &Path {
    socket.parent().unwrap_or(Path::new("/"))
}

/// Returns whether a socket is there that nobody listens on. One that somebody listens on is an error, and so is
/// anything else.
///
/// A process that was killed while it started a program may have left it between the two: until that runs, it has
/// the socket of its parent open.
async fn is_stale(path: &Path) -> Result<bool, SocketError> {
    let (tries, pause) = TRIES;
    for _ in 0..tries {
        match look(path).await {
            Err(SocketError::Live { pid: Some(pid), .. }) if is_dead(pid) => {
                tokio::time::sleep(pause).await;
            }
            answer => return answer,
        }
    }
    look(path).await
}

fn is_dead(pid: i32) -> bool {
    let pid = rustix::process::Pid::from_raw(pid);
    let asked = pid.map(rustix::process::test_kill_process);
    matches!(asked, Some(Err(rustix::io::Errno::SRCH)))
}

async fn look(path: &Path) -> Result<bool, SocketError> {
    let failed = |doing| move |source| SocketError::Failed { doing, path: path.to_owned(), source };
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed("look at")(error)),
    };
    if !found.file_type().is_socket() {
        return Err(SocketError::NotASocket(path.to_owned()));
    }
    match tokio::time::timeout(PATIENCE, UnixStream::connect(path)).await {
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(true),
        Ok(Ok(stream)) => {
            let pid = stream.peer_cred().ok().and_then(|peer| peer.pid());
            Err(SocketError::Live { path: path.to_owned(), pid })
        }
        // Whoever is too busy to accept is alive.
        Err(_) => Err(SocketError::Live { path: path.to_owned(), pid: None }),
        Ok(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {
            Err(SocketError::Live { path: path.to_owned(), pid: None })
        }
        Ok(Err(error)) => Err(failed("try")(error)),
    }
}

fn by(pid: Option<i32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

// === impl SocketFile ===

impl SocketFile {
    fn of(path: &Path) -> Self {
        Self { path: path.to_owned(), identity: identity(path) }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // The next driver may have put its own there already.
        if self.identity.is_none() || identity(&self.path) != self.identity {
            return;
        }
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(socket = %self.path.display(), %error, "the socket could not be removed");
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let found = fs::symlink_metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

#[cfg(test)]
mod tests;
