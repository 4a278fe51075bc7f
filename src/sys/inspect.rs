//! What an open file is, and whether a mount begins there.

use std::os::fd::AsFd;

use rustix::fs::{AtFlags, FileType, Mode, StatxAttributes, StatxFlags};

use super::beneath::Dir;
use super::device::DeviceNumber;
use super::failure::{Doing, Result};
use super::statvfs::Usage;

/// What a descriptor refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The file system it is in.
    pub device: DeviceNumber,
    /// Its number there.
    pub inode: u64,
    /// What it is.
    pub kind: FileType,
    /// Its permissions, with the three special bits.
    pub mode: u32,
    /// Whether it is the root of a mount.
    pub is_mount_root: bool,
}

/// The file systems that live in memory, and so have nothing that could be lost by an unmount that waits for nobody.
const IN_MEMORY: [u32; 3] = [0x0102_1994, 0x8584_58f6, 0x9584_58f6];

/// Looks at what the descriptor refers to, be it opened as a path only.
pub fn look(at: impl AsFd) -> Result<Seen> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::NO_AUTOMOUNT;
    let wanted = StatxFlags::TYPE | StatxFlags::MODE | StatxFlags::INO;
    let found = rustix::fs::statx(at, "", flags, wanted).doing(|| "look at an open file")?;
    let raw = u32::from(found.stx_mode);
    Ok(Seen {
        device: DeviceNumber { major: found.stx_dev_major, minor: found.stx_dev_minor },
        inode: found.stx_ino,
        kind: FileType::from_raw_mode(raw),
        mode: raw & 0o7777,
        is_mount_root: found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT),
    })
}

/// Returns the number of the mount that the descriptor refers to something in, as in the kernel's list of mounts.
pub fn mount_number(at: impl AsFd) -> Result<u64> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::NO_AUTOMOUNT;
    let found = rustix::fs::statx(at, "", flags, StatxFlags::MNT_ID);
    Ok(found.doing(|| "ask for the mount of an open file")?.stx_mnt_id)
}

/// Says whether nothing could be lost if the mount went away under whoever uses it: it takes no writes, or is in
/// memory only.
pub fn has_nothing_to_lose(at: impl AsFd) -> Result<bool> {
    let at = at.as_fd();
    let kind = rustix::fs::fstatfs(at).doing(|| "ask a file system what it is")?.f_type;
    let flags = rustix::fs::fstatvfs(at).doing(|| "ask a mount for its options")?.f_flag;
    let is_in_memory = u32::try_from(kind).is_ok_and(|kind| IN_MEMORY.contains(&kind));
    Ok(is_in_memory || flags.contains(rustix::fs::StatVfsMountFlags::RDONLY))
}

/// Returns how full the file system is that the descriptor is in.
pub fn usage(at: impl AsFd) -> Result<Usage> {
    let stat = rustix::fs::fstatvfs(at).doing(|| "ask a file system for its usage")?;
    Ok(Usage::of(&stat))
}

/// Gives the root of a new volume its mode and its group; the umask changes nothing of it.
pub fn set_mode_and_group(root: impl AsFd, mode: u32, group: Option<u32>) -> Result<()> {
    // The descriptor may be of a mount, which is opened as a path only: a second one can do more.
    let dir = Dir::of_opened(root)?;
    let group = group.map(rustix::fs::Gid::from_raw);
    rustix::fs::fchown(&dir, None, group).doing(|| "give a volume to its group")?;
    rustix::fs::fchmod(&dir, Mode::from_raw_mode(mode)).doing(|| "set the mode of a volume")
}
