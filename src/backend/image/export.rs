//! Writes images of volumes and snapshots to files outside the pool.

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use uuid::Uuid;

use super::ImagePool;
use super::copying::hold_real;
use super::error::{Error, Result};
use super::record::Record;
use super::store::{Held, read_image};
use super::uses;
use crate::backend::{Import, Imported, Transfer};
use crate::error;
use crate::fault;
use crate::sys::failure::Doing;
use crate::sys::{blocking, reflink};
use crate::volume::{Bytes, Source};

#[async_trait]
impl Transfer for ImagePool {
    async fn import(&self, wanted: &Import) -> error::Result<Imported> {
        Ok(self.import_volume(wanted).await?)
    }

    async fn export(&self, source: &Source, to: &Path, force: bool) -> error::Result<()> {
        Ok(self.export_image(source, to, force).await?)
    }
}

impl ImagePool {
    /// Writes the image of the source to a file.
    async fn export_image(&self, source: &Source, to: &Path, force: bool) -> Result<()> {
        let target = Target { path: to.to_owned(), force };
        let (held, size) = match source {
            Source::Volume(id) => {
                let record = self.volumes.get(id).await?;
                let held = self.hold_unused(record.clone()).await?;
                // Else it would have the UUID of the volume that it is a copy of.
                let record = self.finish(record, &held).await?;
                (held, record.size())
            }
            Source::Snapshot(id) => {
                let record = self.snapshots.get(id).await?;
                (self.hold_unused(record.clone()).await?, record.size())
            }
        };
        let root = self.located.root.clone();
        blocking(move || target.write(&held, size, &root)).await
    }

    /// Holds the thing, which has all its data and is no device.
    async fn hold_unused<R: Record>(&self, record: R) -> Result<Held> {
        let store = Arc::clone(&self.store);
        blocking(move || {
            let held = hold_real(&store, &record)?;
            match uses::of_image(&read_image(&held.dir)?)? {
                None => Ok(held),
                Some(used) => {
                    let (what, id) = (R::NOUN, record.id().to_string());
                    Err(Error::InUse { what, id, by: used.to_string() })
                }
            }
        })
        .await
    }
}

/// The file to write.
#[derive(Debug)]
struct Target {
    path: PathBuf,
    force: bool,
}

/// A file that is not whole yet, removed when this is dropped.
struct Partial(PathBuf);

// === impl Target ===

impl Target {
    fn write(&self, held: &Held, size: Bytes, root: &Path) -> Result<()> {
        self.is_free()?;
        self.is_outside(root)?;
        let partial = Partial(self.beside());
        let doing = || format!("write {}", partial.0.display());
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial.0);
        let file = file.doing(doing)?;
        reflink::share_or_copy(&read_image(&held.dir)?, &file)?;
        // An image may be longer than its record says, after an expand that was not finished.
        file.set_len(size.0).doing(doing)?;
        file.sync_all().doing(doing)?;
        fault::point("export: copied");
        self.appear(&partial)
    }

    /// Lets the file have its name, now that it is whole.
    fn appear(&self, partial: &Partial) -> Result<()> {
        let flags = if self.force { RenameFlags::empty() } else { RenameFlags::NOREPLACE };
        let doing = || format!("rename {} to {}", partial.0.display(), self.path.display());
        match renameat_with(CWD, &partial.0, CWD, &self.path, flags) {
            Err(Errno::EXIST) => return Err(self.exists()),
            renamed => renamed.doing(doing)?,
        }
        Ok(File::open(self.directory()).and_then(|dir| dir.sync_all()).doing(doing)?)
    }

    /// Checks that the name is free, or that of a file which may be replaced.
    fn is_free(&self) -> Result<()> {
        match std::fs::symlink_metadata(&self.path) {
            Err(_) => Ok(()),
            Ok(found) if self.force && found.is_file() => Ok(()),
            Ok(found) if found.is_file() => Err(self.exists()),
            Ok(_) => {
                let path = self.path.display();
                Err(Error::unfit(format!("{path} is no regular file: name another place")))
            }
        }
    }

    fn exists(&self) -> Error {
        let path = self.path.display();
        Error::unfit(format!("{path} exists already: name another file, or use --force"))
    }

    /// The pool knows every file in it, and takes no other for its own.
    fn is_outside(&self, root: &Path) -> Result<()> {
        let real = |dir: &Path| {
            let file = File::open(dir)?;
            std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))
        };
        let doing = || format!("open the directory of {}", self.path.display());
        let (pool, ours) = (real(root).doing(doing)?, real(self.directory()).doing(doing)?);
        if ours.starts_with(pool) {
            let path = self.path.display();
            return Err(Error::unfit(format!("{path} is in the pool: name a place outside of it")));
        }
        Ok(())
    }

    fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    /// Returns a name that nothing has, in the same directory.
    fn beside(&self) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let name: String = name.chars().take(60).collect();
        self.directory().join(format!(".{name}.{}.partial", Uuid::new_v4().simple()))
    }
}

// === impl Partial ===

impl Drop for Partial {
    fn drop(&mut self) {
        // Once it is whole it has another name.
        match std::fs::remove_file(&self.0) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(file = %self.0.display(), %error, "a partial file is left");
            }
            _ => {}
        }
    }
}
