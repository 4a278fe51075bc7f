//! A table of mounts of which can be said later whether it is still that of the present.

use std::fs::File;
use std::io::Read;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{MOUNTINFO, MountTable};
use crate::sys::failure::{Doing, Result};

/// What is mounted at one moment, and a file that tells of every change since then.
#[derive(Debug)]
pub struct Picture {
    table: MountTable,
    file: File,
}

// === impl Picture ===

impl Picture {
    /// Takes it now.
    pub fn take() -> Result<Self> {
        let doing = || format!("read {MOUNTINFO}");
        // Whatever changes from here on is told, also while it is being read.
        let mut file = File::open(MOUNTINFO).doing(doing)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).doing(doing)?;
        Ok(Self { table: MountTable::parse(text)?, file })
    }

    /// Returns what was mounted.
    pub fn table(&self) -> &MountTable {
        &self.table
    }

    /// Says whether nothing was mounted or unmounted since then. Asked once: a change is told once.
    pub fn is_present(self) -> Result<bool> {
        let mut all = [PollFd::new(&self.file, PollFlags::PRI)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let told = poll(&mut all, Some(&at_once));
        Ok(told.doing(|| "ask whether the mounts have changed")? == 0)
    }
}
