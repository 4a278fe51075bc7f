//! The steps that block, each with every fsync that makes it last.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::Duration;

use orlop::sys::beneath::{Dir, DirLock, How};
use orlop::sys::loopdev::{self, AttachOptions};
use orlop::sys::mount::{MountOptions, mount, unmount};
use orlop::sys::reflink::{clone_range, pieces};
use rustix::io::Errno;
use uuid::Uuid;

use crate::driver::Result;

/// The name of every image.
pub(super) const IMAGE: &str = "data.img";
const RECORD: &str = "volume.json";

const TRIES: u32 = 2000;
const BETWEEN_TRIES: Duration = Duration::from_millis(1);

const ATTACH: AttachOptions =
    AttachOptions { read_only: false, block_size: 4096, direct_io: true, autoclear: true };

/// The directories of something like a pool.
#[derive(Debug)]
pub(super) struct Store {
    new: Dir,
    volumes: Dir,
    trash: Dir,
    record: Vec<u8>,
    /// Two that ask for a free loop device at once get the same one, and one of them has to ask again later.
    attaching: Mutex<()>,
}

// === impl Store ===

impl Store {
    pub(super) fn make(path: &Path, record: Vec<u8>) -> Result<Self> {
        let root = Dir::open(path)?;
        let [new, volumes, trash] = ["new", "volumes", "trash"].map(|name| root.ensure_dir(name));
        Ok(Self {
            new: new?,
            volumes: volumes?,
            trash: trash?,
            record,
            attaching: Mutex::default(),
        })
    }

    /// Begins a volume with an image of holes, locked.
    pub(super) fn begin(&self, name: &str, bytes: u64) -> Result<(Dir, DirLock)> {
        let dir = self.new.create_dir(name)?;
        let lock = dir.try_lock()?.ok_or("a new directory is locked")?;
        dir.open_file(IMAGE, How::CreateNew)?.set_len(bytes)?;
        Ok((dir, lock))
    }

    /// Makes real what was built: the image and its record are on the disk before the name is.
    pub(super) fn publish(&self, name: &str, built: &Dir) -> Result<()> {
        built.open_file(IMAGE, How::ReadWrite)?.sync_all()?;
        built.write_atomically(RECORD, &self.record)?;
        built.sync()?;
        self.new.rename_noreplace(name, &self.volumes, name)?;
        self.volumes.sync()?;
        Ok(self.new.sync()?)
    }

    /// Attaches the image and mounts it.
    pub(super) fn stage(&self, name: &str, at: &Path) -> Result<()> {
        self.mount(name, at, &[])
    }

    /// Mounts a copy beside its original, and unmounts it, so that nothing is left in its log.
    pub(super) fn replay(&self, name: &str, at: &Path) -> Result<()> {
        self.mount(name, at, &["nouuid"])?;
        unmounted(at)
    }

    fn mount(&self, name: &str, at: &Path, flags: &[&str]) -> Result<()> {
        let image = self.volumes.open_dir(name)?.open_file(IMAGE, How::ReadWrite)?;
        let one_at_a_time = self.attaching.lock().unwrap_or_else(PoisonError::into_inner);
        let attached = loopdev::attach(&image, ATTACH)?;
        drop(one_at_a_time);
        if !attached.direct_io {
            return Err("there is no direct I/O on this disk".into());
        }
        let flags = flags.iter().copied().map(str::to_owned).collect();
        let options = MountOptions { read_only: false, flags };
        Ok(mount("xfs", &attached.device.path, at, &options)?)
    }

    /// Locks the volume.
    pub(super) fn lock(&self, name: &str) -> Result<DirLock> {
        Ok(self.volumes.lock_of(name)?.ok_or("a volume is locked")?)
    }

    /// Waits until all of the image is on the disk.
    pub(super) fn sync_image(&self, name: &str) -> Result<()> {
        Ok(File::open(self.image(name))?.sync_all()?)
    }

    /// Renames the volume into the trash, and returns its name there.
    pub(super) fn bury(&self, name: &str) -> Result<String> {
        let grave = format!("{name}.{}", Uuid::new_v4().simple());
        self.volumes.rename_noreplace(name, &self.trash, &grave)?;
        self.trash.sync()?;
        self.volumes.sync()?;
        Ok(grave)
    }

    /// Frees the blocks and then the names.
    pub(super) fn remove(&self, grave: &str) -> Result<()> {
        self.trash.open_dir(grave)?.open_file(IMAGE, How::ReadWrite)?.set_len(0)?;
        self.trash.remove_tree(grave)?;
        Ok(())
    }

    pub(super) fn trash(&self) -> PathBuf {
        self.trash.path().to_owned()
    }

    pub(super) fn image(&self, name: &str) -> PathBuf {
        self.volumes.path_of(name).join(IMAGE)
    }
}

/// Unmounts what is mounted at the path.
///
/// A mount that was just made can be busy for an instant: a program that is just being started, until it runs,
/// has a copy of every descriptor that this process has open, and with it the mount that was being made.
pub(super) fn unmounted(at: &Path) -> Result<()> {
    for _ in 0..TRIES {
        match unmount(at) {
            Err(failure) if failure.errno() == Some(Errno::BUSY) => sleep(BETWEEN_TRIES),
            answer => return Ok(answer.map(drop)?),
        }
    }
    Ok(unmount(at).map(drop)?)
}

/// Gives the image in `dir` the bytes of the file at `source`, in pieces as the driver does.
pub(super) fn share(source: &Path, dir: &Dir, bytes: u64) -> Result<()> {
    let (source, image) = (File::open(source)?, dir.open_file(IMAGE, How::ReadWrite)?);
    for (offset, len) in pieces(bytes) {
        clone_range(&source, &image, offset, len)?;
    }
    Ok(())
}
