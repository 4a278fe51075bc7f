//! Changes a small file so that at every moment, also after a crash, there is the old content or the new one.

use std::ffi::{OsStr, OsString};
use std::io::Write;

use rustix::fs::RenameFlags;

use super::{Dir, How};
use crate::sys::failure::{Doing, Result};

/// Whether a change has to be on the disk.
#[derive(Clone, Copy)]
enum Durable {
    Yes,
    No,
}

impl Dir {
    /// Makes `bytes` the content of the file `name`, whether it exists or not, and waits until that is on the
    /// disk. When it fails, the file has the old content or the new one: the last step is to wait for the disk.
    pub fn write_atomically(&self, name: impl AsRef<OsStr>, bytes: &[u8]) -> Result<()> {
        self.replace(name.as_ref(), bytes, Durable::Yes)?;
        self.sync()
    }

    /// The same, but a crash of the machine, other than one of this process, may leave any content: for what need not
    /// outlive the kernel.
    pub fn write_for_now(&self, name: impl AsRef<OsStr>, bytes: &[u8]) -> Result<()> {
        self.replace(name.as_ref(), bytes, Durable::No)
    }

    fn replace(&self, name: &OsStr, bytes: &[u8], durable: Durable) -> Result<()> {
        let temporary = temporary_of(name);
        // One that a killed process left. Whoever writes has the lock of what the file belongs to.
        self.remove_file(&temporary)?;
        let written = self
            .write_new(&temporary, bytes, durable)
            .and_then(|()| self.rename(&temporary, self, name, RenameFlags::empty()));
        if let Err(failure) = written {
            if let Err(left) = self.remove_file(&temporary) {
                tracing::debug!(cause = %left.source, "{left}");
            }
            return Err(failure);
        }
        Ok(())
    }

    fn write_new(&self, name: &OsStr, bytes: &[u8], durable: Durable) -> Result<()> {
        let mut file = self.open_file(name, How::CreateNew)?;
        let written = file.write_all(bytes).and_then(|()| match durable {
            Durable::Yes => file.sync_all(),
            Durable::No => Ok(()),
        });
        written.doing(|| format!("write {}", self.path_of(name).display()))
    }
}

/// Returns the name beside `name` under which the new content is written.
pub fn temporary_of(name: &OsStr) -> OsString {
    let mut temporary = OsString::from(".");
    temporary.push(name);
    temporary.push(".new");
    temporary
}
