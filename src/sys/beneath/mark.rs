//! A mark on a directory that takes no space: its sticky bit, which means nothing where only root writes.

use rustix::fs::Mode;

use super::Dir;
use crate::sys::failure::{Doing, Result};

impl Dir {
    /// Marks the directory, and waits until that is on the disk. No file system needs a block for it.
    pub fn mark(&self) -> Result<()> {
        let doing = || format!("mark {}", self.path.display());
        let mode = Mode::from_raw_mode(rustix::fs::fstat(&self.fd).doing(doing)?.st_mode);
        rustix::fs::fchmod(&self.fd, mode | Mode::SVTX).doing(doing)?;
        self.sync()
    }

    /// Says whether the directory is marked.
    pub fn is_marked(&self) -> Result<bool> {
        let found = rustix::fs::fstat(&self.fd);
        let found = found.doing(|| format!("look at {}", self.path.display()))?;
        Ok(Mode::from_raw_mode(found.st_mode).contains(Mode::SVTX))
    }
}
