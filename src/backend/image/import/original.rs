//! The file that is to become a volume: what it is, and whether it can be one.

use std::fs::{File, Metadata};
use std::io::ErrorKind;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::backend::image::error::{Error, Result};
use crate::backend::image::{copy, uses};
use crate::error::Error as Meaning;
use crate::fs::{held_by, probe};
use crate::sys::failure::Doing;
use crate::sys::{blocking, lease};
use crate::volume::{BlockSize, Bytes, Content, FsType};

/// Every size is a multiple of this.
const UNIT: u64 = 4096;

/// A file, open for reading.
#[derive(Debug)]
pub(super) struct Original {
    path: PathBuf,
    file: File,
    found: Metadata,
}

// === impl Original ===

impl Original {
    /// Opens a file that nobody uses and that is no part of the pool in `root`.
    pub(super) fn open(path: &Path, root: &Path) -> Result<Self> {
        let doing = || format!("open {}", path.display());
        // Something else than a file must not hold us up.
        let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
        let file = File::options().read(true).custom_flags(nonblocking).open(path);
        let file = match file {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(Error::unfit(format!("there is no file {}", path.display())));
            }
            file => file.doing(doing)?,
        };
        let found = file.metadata().doing(doing)?;
        if !found.is_file() || found.len() == 0 {
            let path = path.display();
            return Err(Error::unfit(format!("{path} is no file with anything in it")));
        }
        let original = Self { path: path.to_owned(), file, found };
        original.is_outside(root)?;
        original.is_unused()?;
        Ok(original)
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Returns the size of the volume.
    pub(super) fn size(&self) -> Bytes {
        Bytes(self.found.len().next_multiple_of(UNIT))
    }

    /// Returns what the volume holds. Whatever is no file system of ours is raw blocks.
    pub(super) async fn content(&self, raw: bool) -> Result<Content> {
        if raw || self.found.len() < UNIT {
            return Ok(Content::Block);
        }
        let several = |error| {
            let path = self.path.display();
            let reason = format!(
                "what {path} holds cannot be told: use --raw to take it as raw blocks, whatever is in them"
            );
            Error::Meant(Meaning::Unfit { reason, source: Some(Box::new(error)) })
        };
        let signature = probe::signature(&self.path).await.map_err(several)?;
        let Some(fs) = signature.and_then(|name| name.parse::<FsType>().ok()) else {
            return Ok(Content::Block);
        };
        let (path, length) = (self.path.clone(), self.found.len());
        let (held, size) = blocking(move || {
            let held = held_by(&path)?;
            crate::fs::grow::size(&path, fs).map(|size| (held, size))
        })
        .await?;
        if held != Some(fs) || size > length {
            return Err(Error::unfit(format!(
                "{} is cut off: its {fs} has {}, the file only {}",
                self.path.display(),
                Bytes(size),
                Bytes(length)
            )));
        }
        Ok(Content::FileSystem(fs))
    }

    /// Returns the block size of the device: that of the partition table that is in a raw image.
    pub(super) fn block_size(&self, content: Content) -> Result<BlockSize> {
        let mut first = [0; 4096];
        let doing = || format!("read {}", self.path.display());
        if content != Content::Block || self.found.len() < UNIT {
            return Ok(BlockSize::B4096);
        }
        self.file.read_exact_at(&mut first, 0).doing(doing)?;
        // The boot signature of a table, or of a FAT, in sectors of 512; a table for 4096 begins one such later.
        let is_of_512 = first.get(510..512) == Some(&[0x55, 0xAA]);
        let mut second = [0; 8];
        let has_gpt_of_4096 =
            self.file.read_exact_at(&mut second, UNIT).is_ok() && second == *b"EFI PART";
        Ok(if is_of_512 && !has_gpt_of_4096 { BlockSize::B512 } else { BlockSize::B4096 })
    }

    /// Checks that nobody wrote to the file since it was opened, and nobody is about to.
    pub(super) fn is_unchanged(&self) -> Result<()> {
        let now = self.file.metadata().doing(|| format!("look at {}", self.path.display()))?;
        let of = |file: &Metadata| (file.len(), file.mtime(), file.mtime_nsec());
        if of(&now) == of(&self.found) {
            return self.is_unused();
        }
        let path = self.path.display();
        Err(Error::unfit(format!("{path} has changed since its copy was begun: stop what uses it")))
    }

    /// Removes the file, or says why it is still there. What was written to it since it was copied is nowhere else.
    pub(super) fn remove(&self) -> Option<String> {
        let is_it = std::fs::symlink_metadata(&self.path)
            .is_ok_and(|now| (now.dev(), now.ino()) == (self.found.dev(), self.found.ino()));
        let path = self.path.display();
        if !is_it {
            return Some(format!("{path} is another file now, or a link: it stays"));
        }
        if let Err(error) = self.is_unchanged() {
            let why = Meaning::from(error).sentence();
            return Some(format!(
                "{why}; it stays, and what has changed in it is not in the volume"
            ));
        }
        std::fs::remove_file(&self.path).err().map(|error| format!("cannot remove {path}: {error}"))
    }

    /// Returns why the file system cannot be a volume.
    pub(super) fn unmountable(&self, fs: FsType, moved: bool, error: copy::Error) -> Error {
        let path = self.path.display();
        let hint =
            if moved { ", and no other file system with its UUID may be mounted" } else { "" };
        let reason = format!(
            "the {fs} in {path} cannot be mounted as volumes are: its sectors and blocks must be 4096 bytes{hint}; \
             --raw takes it as raw blocks"
        );
        Error::Meant(Meaning::Unfit { reason, source: Some(Box::new(error)) })
    }

    /// A file of the pool belongs to a volume already.
    fn is_outside(&self, root: &Path) -> Result<()> {
        let doing = || format!("look at {}", self.path.display());
        let real = |file: &File| std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()));
        let pool = real(&File::open(root).doing(doing)?).doing(doing)?;
        if !real(&self.file).doing(doing)?.starts_with(pool) {
            return Ok(());
        }
        let path = self.path.display();
        Err(Error::unfit(format!("{path} lies in the pool: clone the volume that it belongs to")))
    }

    fn is_unused(&self) -> Result<()> {
        let path = self.path.display();
        if let Some(used) = uses::of_image(&self.file)? {
            return Err(Error::unfit(format!("{path} is in use: {used}")));
        }
        if lease::has_writer(&self.file)? {
            return Err(Error::unfit(format!(
                "{path} is in use: a process has it open for writing"
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_was_written_since_the_copy_is_not_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db.img");
        std::fs::write(&path, "copied").unwrap();
        let file = File::open(&path).unwrap();
        let found = file.metadata().unwrap();
        let original = Original { path: path.clone(), file, found };
        File::options().append(true).open(&path).unwrap().write_all(b" and more").unwrap();
        let why = original.remove().unwrap();
        assert!(why.contains("db.img has changed since") && why.contains("it stays"), "{why}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "copied and more");
    }
}
