//! Opens directories by their numbers.
//!
//! Whoever owns a subvolume may put its directories so deep that no path leads there, and links on the way; a number
//! leads to one place only.

#![expect(unsafe_code, reason = "no crate that we use wraps open_by_handle_at")]

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use nix::libc;

use crate::sys::failure::{Doing, Result};

/// The number of the root directory of every subvolume.
pub(super) const ROOT: u64 = linux_raw_sys::btrfs::BTRFS_FIRST_FREE_OBJECTID as u64;

/// `struct file_handle` with what btrfs puts into it (`struct btrfs_fid` without a parent).
#[repr(C)]
#[derive(Debug)]
struct Handle {
    length: u32,
    kind: i32,
    inode: u64,
    subvolume: u64,
    /// None means any.
    generation: u32,
}

/// Of the last three fields.
const LENGTH: u32 = 20;

/// `FILEID_BTRFS_WITHOUT_PARENT`.
const KIND: i32 = 0x4d;

/// Opens the directory `inode` of the subvolume, through the mount that `at` is in.
pub(super) fn open(at: impl AsFd, subvolume: u64, inode: u64) -> Result<File> {
    let mut handle = Handle { length: LENGTH, kind: KIND, inode, subvolume, generation: 0 };
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
    let pointer = (&raw mut handle).cast::<libc::file_handle>();
    // SAFETY: the descriptor is open for the whole call, and the kernel reads a header and so many bytes behind it
    // as the header says, all of which the pointer was made from.
    let answer = unsafe { libc::open_by_handle_at(at.as_fd().as_raw_fd(), pointer, flags) };
    let opened = nix::errno::Errno::result(answer);
    let fd = opened.doing(|| format!("open directory {inode} of subvolume {subvolume}"))?;
    // SAFETY: the kernel has just given this descriptor to us, and nobody else knows it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    Ok(fd.into())
}
