//! Lets a file system use all of a device that became longer.

use std::ffi::OsString;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;

use super::{Error, superblock};
use crate::sys::{self, DeviceNumber, Doing, Failure};
use crate::tool::{Invocation, OnLimit, Program};
use crate::volume::FsType;

/// How long resize2fs may take: it moves inode tables where a large volume becomes a huge one.
const LIMIT: Duration = Duration::from_hours(1);
/// The unit of sizes in sysfs, whatever the sectors of a device are.
const SYSFS_SECTOR: u64 = 512;

/// Returns how many bytes of an image its file system has.
pub fn size(image: &Path, fs: FsType) -> Result<u64, Error> {
    superblock::read_size(image, fs)
}

/// Says whether the file system on an image reaches its end.
pub fn fills(image: &Path, fs: FsType) -> Result<bool, Error> {
    let room = fs::metadata(image).doing(|| format!("look at {}", image.display()))?.len();
    Ok(superblock::read_size(image, fs)? >= room)
}

/// Grows the file system mounted at `at` to the size that its device has now.
pub fn mounted(at: &Path, fs: FsType) -> Result<(), Error> {
    let grown = match fs {
        FsType::Xfs => device_bytes(at).and_then(|size| sys::grow::xfs(at, size)),
        // The kernel asks for the capability before it looks whether there is anything to do.
        FsType::Ext4 if fills_its_device(at) => Ok(false),
        FsType::Ext4 => device_bytes(at).and_then(|size| sys::grow::ext4(at, size)),
        FsType::Btrfs => sys::grow::btrfs(at),
    };
    let grown = grown.map_err(|failure| not_grown(at, fs, failure))?;
    tracing::debug!(at = %at.display(), %fs, grown, "grew the file system to its device");
    Ok(())
}

/// Grows an ext4 that nobody has mounted, without errors and with an empty journal: see [`super::check()`].
///
/// The program, which may outlive us, holds `lock`; it is never killed.
pub async fn unmounted_ext4(device: &Path, lock: OwnedFd) -> Result<(), Error> {
    let ran = resize2fs(device).holding(lock).run().await;
    ran.map(drop).map_err(|error| Error::of_tool(device, error))
}

fn resize2fs(device: &Path) -> Invocation {
    // -f: else it demands a full `e2fsck -f` of every file system that was written since the last one, which
    // is each. The superblock says what we need to know: no error, nothing to replay.
    let args: [OsString; 2] = ["-f".into(), device.into()];
    Invocation::new(Program::Resize2fs, args, LIMIT).on_limit(OnLimit::TerminateAndWait)
}

/// Says whether the ext4 mounted at `at` is known to be as large as its device. What was grown a moment ago may be in its
/// journal only: then it is not known.
fn fills_its_device(at: &Path) -> bool {
    let filled = || {
        let number = DeviceNumber::from(fs::metadata(at).ok()?.dev());
        let device = fs::read_link(format!("/sys/dev/block/{number}")).ok()?;
        let node = Path::new("/dev").join(device.file_name()?);
        let size = superblock::read_size(&node, FsType::Ext4).ok()?;
        Some(size >= device_bytes(at).ok()?)
    };
    filled().unwrap_or(false)
}

/// Returns the size of the device that XFS or ext4 is mounted from. btrfs has a made-up number.
fn device_bytes(at: &Path) -> Result<u64, Failure> {
    let doing = || format!("read the size of the device below {}", at.display());
    let number = DeviceNumber::from(fs::metadata(at).doing(doing)?.dev());
    // By number: its node may have another name, or none, where we run.
    let text = fs::read_to_string(format!("/sys/dev/block/{number}/size")).doing(doing)?;
    let sectors: u64 = text.trim().parse().map_err(std::io::Error::other).doing(doing)?;
    Ok(sectors.saturating_mul(SYSFS_SECTOR))
}

fn not_grown(at: &Path, fs: FsType, source: Failure) -> Error {
    match source.errno() {
        Some(Errno::PERM) if fs == FsType::Ext4 => Error::MayNotGrow { source },
        _ if source.is_of_stopped() => Error::Stopped { at: at.to_owned(), source },
        _ => Error::Kernel(source),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resize2fs_is_never_killed() {
        let call = resize2fs(Path::new("/dev/loop3"));
        assert_eq!(call.to_string(), "resize2fs -f /dev/loop3");
        assert_eq!(call.on_limit, OnLimit::TerminateAndWait);
    }
}
