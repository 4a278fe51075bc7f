//! Quotas of btrfs: which there are, and groups of subvolumes with a limit for all of them together.
//!
//! Simple quotas (Linux 6.7) charge whoever made a block, and need no bookkeeping for what is shared. A subvolume that
//! is made in another one belongs to the same groups, unless its maker names others, for which no right is needed: a
//! limit holds against whoever does not set out to get around it.

#![expect(unsafe_code, reason = "no crate that we use wraps btrfs's calls")]

use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};

use linux_raw_sys::btrfs::{
    BTRFS_QGROUP_LEVEL_SHIFT, BTRFS_QGROUP_LIMIT_MAX_RFER, BTRFS_QGROUP_RELATION_KEY,
    BTRFS_QUOTA_CTL_ENABLE_SIMPLE_QUOTA, BTRFS_QUOTA_TREE_OBJECTID, btrfs_ioctl_fs_info_args,
    btrfs_ioctl_qgroup_assign_args, btrfs_ioctl_qgroup_create_args, btrfs_ioctl_qgroup_limit_args,
    btrfs_ioctl_quota_ctl_args, btrfs_qgroup_limit,
};
use nix::errno::Errno;

use super::search::{Sought, search};
use crate::sys::failure::{Doing, Result};

/// Which quotas a file system has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quotas {
    /// None.
    Off,
    /// Simple ones.
    Simple,
    /// Others, which also count what is shared.
    Full,
}

/// A group of subvolumes, of the first level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group(u64);

/// What a group may have, and what it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// Bytes.
    pub limit: u64,
    /// Bytes, with those that are still to be written.
    pub used: u64,
}

/// Where the kernel tells of each btrfs that is mounted, by its UUID.
const SYSFS: &str = "/sys/fs/btrfs";

/// What a group has is the sum of these.
const USED: [&str; 4] = ["referenced", "rsv_data", "rsv_meta_pertrans", "rsv_meta_prealloc"];

mod raw {
    use linux_raw_sys::btrfs::{
        btrfs_ioctl_fs_info_args, btrfs_ioctl_qgroup_assign_args, btrfs_ioctl_qgroup_create_args,
        btrfs_ioctl_qgroup_limit_args, btrfs_ioctl_quota_ctl_args,
    };

    use super::super::IOCTL;
    nix::ioctl_read!(btrfs_ioc_fs_info, IOCTL, 31, btrfs_ioctl_fs_info_args);
    nix::ioctl_readwrite!(btrfs_ioc_quota_ctl, IOCTL, 40, btrfs_ioctl_quota_ctl_args);
    nix::ioctl_write_ptr!(btrfs_ioc_qgroup_assign, IOCTL, 41, btrfs_ioctl_qgroup_assign_args);
    nix::ioctl_write_ptr!(btrfs_ioc_qgroup_create, IOCTL, 42, btrfs_ioctl_qgroup_create_args);
    // The kernel reads it, whatever the direction in its number says.
    nix::ioctl_read!(btrfs_ioc_qgroup_limit, IOCTL, 43, btrfs_ioctl_qgroup_limit_args);
}

/// Returns which quotas there are.
pub fn quotas(at: impl AsFd) -> Result<Quotas> {
    let dir = told(at)?;
    let found = std::fs::read_to_string(dir.join("mode"));
    match found {
        Ok(mode) => Ok(match mode.trim() {
            "squota" => Quotas::Simple,
            "disabled" => Quotas::Off,
            _ => Quotas::Full,
        }),
        // A kernel that has no simple ones tells no mode.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Ok(if dir.exists() { Quotas::Full } else { Quotas::Off })
        }
        Err(error) => Err(error).doing(|| format!("read {}/mode", dir.display())),
    }
}

/// Turns simple quotas on, for the whole file system and for good: a kernel that has none does not mount it any more.
/// What is there already is not counted.
pub fn enable_simple(at: impl AsFd) -> Result<()> {
    let cmd = BTRFS_QUOTA_CTL_ENABLE_SIMPLE_QUOTA.into();
    let mut request = btrfs_ioctl_quota_ctl_args { cmd, status: 0 };
    // SAFETY: the descriptor is open for the whole call, and the kernel reads and writes one structure laid out as it
    // expects.
    let answer = unsafe { raw::btrfs_ioc_quota_ctl(at.as_fd().as_raw_fd(), &raw mut request) };
    answer.map(drop).doing(|| "turn the simple quotas of a btrfs on")
}

/// Sets the limit of the group, which is made if there is none.
pub fn limit(at: impl AsFd, group: Group, bytes: u64) -> Result<()> {
    match exists_from_now_on(at.as_fd(), group, true) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(errno) => return Err(errno).doing(|| format!("make the quota group {group}")),
    }
    let lim = btrfs_qgroup_limit {
        flags: BTRFS_QGROUP_LIMIT_MAX_RFER.into(),
        max_rfer: bytes,
        max_excl: 0,
        rsv_rfer: 0,
        rsv_excl: 0,
    };
    let mut request = btrfs_ioctl_qgroup_limit_args { qgroupid: group.raw(), lim };
    // SAFETY: the descriptor is open for the whole call, and the kernel reads one structure laid out as it expects.
    let answer = unsafe { raw::btrfs_ioc_qgroup_limit(at.as_fd().as_raw_fd(), &raw mut request) };
    answer.map(drop).doing(|| format!("limit the quota group {group}"))
}

/// Makes the subvolume a member of the group, if it is none.
pub fn join(at: impl AsFd, subvolume: u64, group: Group) -> Result<()> {
    if members(at.as_fd(), group)?.contains(&subvolume) {
        return Ok(());
    }
    let done = set_member(at.as_fd(), subvolume, group, true);
    done.doing(|| format!("make subvolume {subvolume} a member of the quota group {group}"))
}

/// Removes the group, whoever its members are; what they have is charged to nobody then. Returns whether there was one.
pub fn disband(at: impl AsFd, group: Group) -> Result<bool> {
    let doing = || format!("remove the quota group {group}");
    for member in members(at.as_fd(), group)? {
        match set_member(at.as_fd(), member, group, false) {
            // The kernel forgets a subvolume that is gone, in its own time.
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(errno) => return Err(errno).doing(doing),
        }
    }
    match exists_from_now_on(at.as_fd(), group, false) {
        Ok(()) => Ok(true),
        Err(Errno::ENOENT | Errno::ENOTCONN) => Ok(false),
        Err(errno) => Err(errno).doing(doing),
    }
}

/// Returns what the group may have, and has at this instant.
pub fn figures(at: impl AsFd, group: Group) -> Result<Figures> {
    let dir = told(at)?.join(group.to_string().replace('/', "_"));
    let used = USED.iter().map(|file| number(&dir.join(file))).sum::<Result<u64>>()?;
    Ok(Figures { limit: number(&dir.join("max_referenced"))?, used })
}

/// Returns the subvolumes in the group.
fn members(at: impl AsFd, group: Group) -> Result<Vec<u64>> {
    let sought = Sought {
        tree: BTRFS_QUOTA_TREE_OBJECTID,
        object: group.raw(),
        kind: BTRFS_QGROUP_RELATION_KEY,
    };
    match search(at, sought) {
        Ok(items) => Ok(items.iter().map(|item| item.offset).collect()),
        // There is no such tree where no quotas are on.
        Err(why) if why.is_not_found() => Ok(Vec::new()),
        Err(why) => Err(why),
    }
}

fn exists_from_now_on(at: impl AsFd, group: Group, exists: bool) -> Result<(), Errno> {
    let request = btrfs_ioctl_qgroup_create_args { create: exists.into(), qgroupid: group.raw() };
    // SAFETY: the descriptor is open for the whole call, and the kernel reads one structure laid out as it expects.
    let answer =
        unsafe { raw::btrfs_ioc_qgroup_create(at.as_fd().as_raw_fd(), &raw const request) };
    answer.map(drop)
}

fn set_member(at: impl AsFd, member: u64, group: Group, is_one: bool) -> Result<(), Errno> {
    let request =
        btrfs_ioctl_qgroup_assign_args { assign: is_one.into(), src: member, dst: group.raw() };
    // SAFETY: the descriptor is open for the whole call, and the kernel reads one structure laid out as it expects.
    let answer =
        unsafe { raw::btrfs_ioc_qgroup_assign(at.as_fd().as_raw_fd(), &raw const request) };
    answer.map(drop)
}

/// Returns the directory in which the kernel tells of the file system's quotas; it is there while they are on.
fn told(at: impl AsFd) -> Result<PathBuf> {
    let mut found = btrfs_ioctl_fs_info_args {
        max_id: 0,
        num_devices: 0,
        fsid: [0; 16],
        nodesize: 0,
        sectorsize: 0,
        clone_alignment: 0,
        csum_type: 0,
        csum_size: 0,
        flags: 0,
        generation: 0,
        metadata_uuid: [0; 16],
        reserved: [0; 944],
    };
    // SAFETY: the descriptor is open for the whole call, and the kernel writes one structure laid out as it expects.
    let answer = unsafe { raw::btrfs_ioc_fs_info(at.as_fd().as_raw_fd(), &raw mut found) };
    answer.doing(|| "ask a btrfs for its UUID")?;
    let uuid = uuid::Uuid::from_bytes(found.fsid);
    Ok(Path::new(SYSFS).join(uuid.to_string()).join("qgroups"))
}

fn number(file: &Path) -> Result<u64> {
    let doing = || format!("read {}", file.display());
    let text = std::fs::read_to_string(file).doing(doing)?;
    text.trim().parse().map_err(std::io::Error::other).doing(doing)
}

// === impl Group ===

impl Group {
    /// Returns the group of that number, of which the lower 48 bits count.
    pub fn of(number: u64) -> Self {
        Self(number & ((1 << BTRFS_QGROUP_LEVEL_SHIFT) - 1))
    }

    pub(super) fn raw(self) -> u64 {
        1 << BTRFS_QGROUP_LEVEL_SHIFT | self.0
    }
}

impl std::fmt::Display for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "1/{}", self.0)
    }
}
