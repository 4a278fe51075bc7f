//! A directory for one run, in a mount namespace of its own, of which nothing is left.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use orlop::sys::mountinfo::MountTable;

use super::driver::Result;

/// A directory that goes with this value, and with it all that is mounted below it.
#[derive(Debug)]
pub(crate) struct Room {
    /// As the mount table has it, without links.
    path: PathBuf,
    _dir: tempfile::TempDir,
}

// === impl Room ===

impl Room {
    /// Makes a directory with a new name below `parent`.
    pub(crate) fn make(parent: &Path) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("orlop-").tempdir_in(parent)?;
        let open = File::open(dir.path())?;
        let path = std::fs::read_link(format!("/proc/self/fd/{}", open.as_raw_fd()))?;
        Ok(Self { path, _dir: dir })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the directory `name` in the room.
    pub(crate) fn dir(&self, name: impl AsRef<Path>) -> Result<PathBuf> {
        let path = self.path.join(name);
        std::fs::create_dir_all(&path)?;
        Ok(path)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        clear(&self.path);
    }
}

/// Gives the calling thread, and the threads and processes that it starts from now on, a mount namespace of its
/// own, from which mounts spread to no other. What the machine unmounts goes here, too, and is not kept in use.
pub(crate) fn own_namespace() -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    let slave = MsFlags::MS_REC | MsFlags::MS_SLAVE;
    Ok(mount(None::<&str>, "/", None::<&str>, slave, None::<&str>)?)
}

/// Takes away, in this namespace, all that is mounted below the directory or on it, the last one first. A user
/// that is just ending keeps what it uses until then.
pub(crate) fn clear(dir: &Path) {
    let Ok(table) = MountTable::read() else { return };
    let below = table.iter().filter(|mount| mount.at.starts_with(dir));
    for mount in below.collect::<Vec<_>>().into_iter().rev() {
        let flags = MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW;
        if let Err(errno) = umount2(&mount.at, flags) {
            eprintln!("{mount} stays until this ends: {errno}");
        }
    }
}
