//! The node as Linux has it: the mount table and the mount system calls.

mod known;
mod limits;
mod place;

use known::Known;
pub use limits::Reach;
use limits::Wanted;

use std::os::fd::AsRawFd;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::{Enforcement, Host, Options, Place, Sight, Usage, target};
use crate::backend::{Device, Ensured};
use crate::error::{Error, Result};
use crate::sys::blocking::blocking;
use crate::sys::device::DeviceNumber;
use crate::sys::mount::MountOptions;
use crate::sys::mountinfo::MountTable;
use crate::sys::{self, Failure, patience};
use crate::volume::{Bytes, FsType, Limits};

/// After so long, what keeps a mount busy is a process that uses it.
const STILL_BUSY: Duration = Duration::from_secs(2);

/// The mounts of this node.
#[derive(Debug, Clone, Default)]
pub struct Kernel {
    known: Arc<Known>,
}

// === impl Kernel ===

impl Kernel {
    /// Returns what [`Host::sight`] does if that takes no look at the whole mount table, or nothing.
    pub fn glance(&self, device: Option<&Device>, paths: &[PathBuf]) -> sys::Result<Option<Sight>> {
        self.known.glance(device.map(|device| device.number), paths)
    }
}

/// Returns for whom limits can be enforced on this node, or why for nobody.
pub fn reach_of_limits() -> Result<Reach> {
    limits::reach(&read_table()?)
}

#[async_trait]
impl Host for Kernel {
    async fn resolve(&self, path: PathBuf) -> PathBuf {
        blocking(move || real(&path).unwrap_or(path)).await
    }

    async fn sight(&self, device: Option<&Device>, paths: &[&Path]) -> Result<Sight> {
        let number = device.map(|device| device.number);
        let paths: Vec<PathBuf> = paths.iter().map(|path| (*path).to_owned()).collect();
        let known = Arc::clone(&self.known);
        blocking(move || known.sight(number, &paths)).await
    }

    async fn mount(&self, device: &Device, fs: FsType, at: &Path, options: &Options) -> Result<()> {
        let (source, at, options) = (device.path.clone(), at.to_owned(), options.clone());
        blocking(move || {
            if !at.is_dir() {
                let reason = format!("{} is not a directory that exists", at.display());
                return Err(Error::invalid("staging_target_path", reason));
            }
            let flags = with_defaults(fs, &options.flags);
            let wanted = MountOptions { read_only: options.read_only, flags };
            let mounted = sys::mount::mount(fs.as_str(), &source, &at, &wanted);
            mounted.map_err(|why| not_mounted(why, &options))
        })
        .await
    }

    async fn bind_directory(&self, from: &Path, to: &Path, options: &Options) -> Result<()> {
        let (from, to, options) = (from.to_owned(), to.to_owned(), options.clone());
        blocking(move || {
            let made = target::ensure_directory(&to)?;
            bind(&from, &to, options).inspect_err(|_| target::undo(&to, made))
        })
        .await
    }

    async fn bind_device(&self, device: &Device, to: &Path, read_only: bool) -> Result<()> {
        let (from, to) = (device.path.clone(), to.to_owned());
        blocking(move || {
            // A read-only bind of a device node still lets its opener write: the device itself must refuse.
            sys::block::set_read_only(&from, read_only)
                .map_err(|why| Error::internal("prepare the device for its pod", why))?;
            let made = target::ensure_file(&to)?;
            let options = Options { read_only, flags: Vec::new() };
            bind(&from, &to, options).inspect_err(|_| target::undo(&to, made))
        })
        .await
    }

    async fn unmount(&self, path: &Path) -> Result<Ensured<()>> {
        let path = path.to_owned();
        blocking(move || {
            // As often as something is stacked there: a retry of an older driver may have doubled it.
            let mut result = Ensured::Found(());
            while unmount_patiently(&path)? {
                result = Ensured::Made(());
            }
            Ok(result)
        })
        .await
    }

    async fn image_behind(&self, place: &Place) -> Option<PathBuf> {
        let number = place.device?;
        let file = format!("/sys/dev/block/{number}/loop/backing_file");
        blocking(move || std::fs::read_to_string(file)).await.ok().map(PathBuf::from)
    }

    async fn remove_target(&self, path: &Path) -> Result<()> {
        let path = path.to_owned();
        blocking(move || target::remove(&path)).await
    }

    async fn grow(&self, at: &Path, fs: FsType) -> Result<()> {
        let at = at.to_owned();
        blocking(move || Ok(crate::fs::grow::mounted(&at, fs)?)).await
    }

    async fn usage(&self, at: &Path) -> Result<Usage> {
        let at = at.to_owned();
        let usage = blocking(move || sys::statvfs::usage(&at)).await;
        let usage = usage.map_err(|why| Error::internal("read how full the volume is", why))?;
        Ok(Usage {
            total: Bytes(usage.total_bytes),
            used: Bytes(usage.used_bytes),
            available: Bytes(usage.available_bytes),
            inodes: usage.total_inodes,
            inodes_used: usage.used_inodes,
            inodes_free: usage.free_inodes,
        })
    }

    async fn limit(&self, device: &Device, limits: &Limits) -> Result<Enforcement> {
        let (device, limits) = (device.number, *limits);
        blocking(move || Wanted::of(device, &limits)?.set()).await
    }

    async fn holds(&self, device: &Device, limits: &Limits) -> Result<Option<Enforcement>> {
        let (device, limits) = (device.number, *limits);
        blocking(move || Wanted::of(device, &limits)?.holds()).await
    }

    async fn unlimit(&self, device: DeviceNumber, target: &Path) -> Result<()> {
        let target = target.to_owned();
        blocking(move || limits::unlimit(&read_table()?, device, &target)).await
    }

    async fn can_limit(&self) -> Result<()> {
        blocking(|| reach_of_limits().map(drop)).await
    }
}

/// ext4 must stop at its first error: by default it writes on.
fn with_defaults(fs: FsType, flags: &[String]) -> Vec<String> {
    let mut all = flags.to_vec();
    if fs == FsType::Ext4 && !flags.iter().any(|flag| flag.starts_with("errors=")) {
        all.push("errors=remount-ro".to_owned());
    }
    all
}

fn bind(from: &Path, to: &Path, options: Options) -> Result<()> {
    let wanted = MountOptions { read_only: options.read_only, flags: options.flags };
    sys::mount::bind(from, to, &wanted)
        .map_err(|why| Error::internal("make the volume visible at its target", why))
}

fn read_table() -> Result<MountTable> {
    MountTable::read().map_err(not_read)
}

fn not_read(why: Failure) -> Error {
    Error::internal("read the mount table", why)
}

/// Returns the path as the mount table has it: links in its parents resolved, its last component untouched and
/// never opened, since what is mounted there may hang. Nothing when the parent does not exist.
fn real(path: &Path) -> Option<PathBuf> {
    let (parent, name) = (path.parent()?, path.file_name()?);
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let without_links = ResolveFlags::NO_SYMLINKS;
    if is_plain(parent)
        && rustix::fs::openat2(CWD, parent, flags, Mode::empty(), without_links).is_ok()
    {
        return Some(parent.join(name));
    }
    let fd = rustix::fs::open(parent, flags, Mode::empty()).ok()?;
    let parent = std::fs::read_link(format!("/proc/thread-self/fd/{}", fd.as_raw_fd())).ok()?;
    Some(parent.join(name))
}

/// Says whether a path without links would be written like this by the kernel, too.
fn is_plain(path: &Path) -> bool {
    let plain: PathBuf = path.components().filter(|part| *part != Component::ParentDir).collect();
    plain.as_os_str() == path.as_os_str()
}

fn not_mounted(why: Failure, options: &Options) -> Error {
    // The flags themselves are not repeated: there may be a password among them. The kernel names the one it means.
    let known = sys::mount::vfs_flags(&options.flags);
    let is_ours = |flag: &String| known.contains(&flag.as_str());
    match why.errno() {
        Some(Errno::INVAL) if !options.flags.iter().all(is_ours) => Error::Invalid {
            field: "volume_capability.mount.mount_flags",
            reason: format!("the kernel does not take them: {why}"),
        },
        _ => Error::Unfit {
            reason: "the file system cannot be mounted".into(),
            source: Some(why.into()),
        },
    }
}

/// Unmounts what is topmost at the path, and waits out what keeps it only for a moment. Returns whether there was
/// anything.
fn unmount_patiently(path: &Path) -> Result<bool> {
    let attempt = || match sys::mount::unmount(path) {
        Err(why) if why.errno() == Some(Errno::BUSY) => Ok(None),
        answer => answer.map(Some),
    };
    let outcome = patience::within(STILL_BUSY, attempt);
    let doing = || format!("unmount {}", path.display());
    outcome.map_err(|why| Error::internal(doing(), why))?.ok_or_else(|| {
        let at = path.display();
        Error::unfit(format!("a process still uses {at}; end it, then it will be unmounted"))
    })
}
