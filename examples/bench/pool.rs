//! The file system that both ways share: an XFS in a sparse file, with a directory for each of them.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use orlop::sys::loopdev::{self, AttachOptions};
use orlop::sys::mount::{MountOptions, mount, unmount};
use orlop::sys::{blocking, statvfs};
use orlop::tool::{Invocation, Program};

use crate::driver::Result;

const LIMIT: Duration = Duration::from_mins(1);
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

/// The device goes with its mount.
const ATTACH: AttachOptions =
    AttachOptions { read_only: false, block_size: 4096, direct_io: true, autoclear: true };

/// A mounted file system for pools.
#[derive(Debug)]
pub(crate) struct Pool {
    file: PathBuf,
    at: PathBuf,
}

// === impl Pool ===

impl Pool {
    /// Makes the file system in the directory `dir` and mounts it there.
    pub(crate) async fn make(dir: &Path, bytes: u64) -> Result<Self> {
        let pool = Self { file: dir.join("pool.xfs"), at: dir.join("pool") };
        std::fs::create_dir(&pool.at)?;
        File::create(&pool.file)?.set_len(bytes)?;
        let mut arguments: Vec<OsString> =
            ["-q", "-b", "size=4096", "-s", "size=4096"].map(Into::into).into();
        arguments.push(pool.file.clone().into());
        Invocation::new(Program::MkfsXfs, arguments, LIMIT).run().await?;
        pool.mount().await?;
        for part in [pool.of_driver(), pool.by_hand()] {
            std::fs::create_dir(part)?;
        }
        Ok(pool)
    }

    /// Returns the file that it is in.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Returns the driver's directory.
    pub(crate) fn of_driver(&self) -> PathBuf {
        self.at.join("orlop")
    }

    /// Returns the directory of what is done by hand.
    pub(crate) fn by_hand(&self) -> PathBuf {
        self.at.join("by-hand")
    }

    /// Returns how many bytes of it are in use, when all is written.
    pub(crate) async fn used(&self) -> Result<u64> {
        let at = self.at.clone();
        blocking(move || {
            rustix::fs::syncfs(std::fs::File::open(&at)?)?;
            Ok(statvfs::usage(&at)?.used_bytes)
        })
        .await
    }

    /// Mounts it anew, so that the kernel knows nothing of what is in it.
    pub(crate) async fn forget(&self) -> Result<()> {
        let at = self.at.clone();
        blocking(move || unmount(&at)).await?;
        self.mount().await
    }

    /// Waits until the driver has removed what was deleted, which it does in the background.
    pub(crate) async fn settled(&self) -> Result<()> {
        empty(&self.of_driver().join("trash")).await
    }

    async fn mount(&self) -> Result<()> {
        let (file, at) = (self.file.clone(), self.at.clone());
        blocking(move || {
            let attached = loopdev::attach(&file, ATTACH)?;
            let options = MountOptions { read_only: false, flags: vec!["noatime".to_owned()] };
            Ok(mount("xfs", &attached.device.path, &at, &options)?)
        })
        .await
    }
}

/// Waits until there is nothing in the directory.
pub(crate) async fn empty(dir: &Path) -> Result<()> {
    while std::fs::read_dir(dir)?.next().is_some() {
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    Ok(())
}
