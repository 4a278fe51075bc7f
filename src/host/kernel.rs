//! The node as Linux has it: the mount table and the mount system calls.

mod limits;

pub use limits::Reach;
use limits::Wanted;

use std::ffi::OsStr;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::{Enforcement, Host, Options, Place, Sight, Usage, target};
use crate::backend::{Device, Ensured};
use crate::error::{Error, Result};
use crate::sys::blocking::blocking;
use crate::sys::device::{self, DeviceNumber};
use crate::sys::mount::MountOptions;
use crate::sys::mountinfo::{Mount, MountTable, Row};
use crate::sys::{self, Failure, patience};
use crate::volume::{Bytes, FsType, Limits};

/// After so long, what keeps a mount busy is a process that uses it.
const STILL_BUSY: Duration = Duration::from_secs(2);

/// The major number of loop devices: what a volume of an image pool is mounted from.
const LOOP_MAJOR: u32 = 7;

/// How the name of a loop device's node begins.
const LOOP_NODE: &[u8] = b"loop";

/// Its mounts show a number that is no device's.
const BTRFS: &str = "btrfs";

/// The mounts of this node.
#[derive(Debug, Clone, Copy, Default)]
pub struct Kernel;

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
        blocking(move || {
            let is_wanted = |row: &Row<'_>| {
                paths.iter().any(|path| row.is_at(path))
                    || number.is_some_and(|number| may_be_of(row, number))
            };
            let table = MountTable::read_those(is_wanted).map_err(not_read)?;
            let of_device = number.map(|number| places(&table, number));
            let topmost = paths.iter().filter_map(|path| table.at(path));
            Ok(Sight {
                of_device: of_device.unwrap_or_default(),
                topmost: topmost.map(place_of).collect(),
            })
        })
        .await
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

/// Says whether the device can be behind a row; [`device_of`] then knows it.
fn may_be_of(row: &Row<'_>, device: DeviceNumber) -> bool {
    row.is_of(device) || row.is_a(BTRFS) || row.name().starts_with(LOOP_NODE)
}

/// Returns the path as the mount table has it: links in its parents resolved, its last component untouched and
/// never opened, since what is mounted there may hang. Nothing when the parent does not exist.
fn real(path: &Path) -> Option<PathBuf> {
    let (parent, name) = (path.parent()?, path.file_name()?);
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fd = rustix::fs::open(parent, flags, Mode::empty()).ok()?;
    let parent = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).ok()?;
    Some(parent.join(name))
}

fn places(table: &MountTable, device: DeviceNumber) -> Vec<Place> {
    table.iter().filter(|mount| device_of(mount) == Some(device)).map(place_of).collect()
}

/// Returns the row of the mount table as a place.
fn place_of(mount: &Mount) -> Place {
    let node = bound_node(mount);
    let what = match &node {
        Some(_) => format!("the device {}", mount.root.display()),
        None => format!("{} of {}", mount.fs_type, Path::new(&mount.source).display()),
    };
    Place {
        at: mount.at.clone(),
        is_node: node.is_some(),
        device: node.or_else(|| mounted_loop(mount)),
        what,
        read_only: mount.options.has("ro"),
        is_stuck: node.is_none() && mount.is_stopped() && !mount.options.has("ro"),
        flags: mount.options.iter().collect(),
    }
}

/// Returns the loop device whose node is bound or whose file system is mounted.
fn device_of(mount: &Mount) -> Option<DeviceNumber> {
    bound_node(mount).or_else(|| mounted_loop(mount))
}

/// Returns the loop device whose file system is mounted. The numbers that btrfs shows are anonymous: there the
/// source says which device it is.
fn mounted_loop(mount: &Mount) -> Option<DeviceNumber> {
    if mount.fs_type == BTRFS {
        return device::of_node(Path::new(&mount.source)).ok().flatten();
    }
    (mount.device.major == LOOP_MAJOR).then_some(mount.device)
}

/// Returns the loop device whose node is bound.
fn bound_node(mount: &Mount) -> Option<DeviceNumber> {
    let kept_in_memory = ["devtmpfs", "tmpfs"].contains(&mount.fs_type.as_str());
    let is_loop = |name: &OsStr| name.as_bytes().starts_with(LOOP_NODE);
    let named = mount.root.file_name().is_some_and(is_loop);
    let number = (kept_in_memory && named).then(|| device::of_node(&mount.at));
    number.and_then(std::result::Result::ok).flatten()
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
