//! Grows btrfs.

#![expect(unsafe_code, reason = "no crate that we use wraps BTRFS_IOC_RESIZE")]

use std::ffi::c_char;
use std::os::fd::AsRawFd;
use std::path::Path;

use linux_raw_sys::btrfs::btrfs_ioctl_vol_args;

use super::{doing, open};
use crate::sys::failure::{Doing, Result};

/// All of the device. A volume has one device, and its number is 1, also in a copy.
const TO_THE_END: &[u8] = b"1:max";

mod raw {
    use linux_raw_sys::btrfs::btrfs_ioctl_vol_args;
    nix::ioctl_write_ptr!(btrfs_ioc_resize, 0x94, 3, btrfs_ioctl_vol_args);
}

/// Grows the btrfs at `mountpoint` to the end of its device. Returns whether it became larger.
pub fn btrfs(mountpoint: &Path) -> Result<bool> {
    let root = open(mountpoint)?;
    let size = || Ok(rustix::fs::fstatvfs(&root).doing(|| doing(mountpoint))?.f_blocks);
    let before = size()?;
    let mut request = btrfs_ioctl_vol_args { fd: 0, name: [0; 4088] };
    for (to, &from) in request.name.iter_mut().zip(TO_THE_END) {
        // A C character is signed on some processors and unsigned on others.
        *to = c_char::from_ne_bytes([from]);
    }
    // SAFETY: the descriptor is open for the whole call, and the kernel reads one structure laid out as it
    // expects, with a text in it that ends in a zero.
    let answer = unsafe { raw::btrfs_ioc_resize(root.as_raw_fd(), &raw const request) };
    answer.doing(|| doing(mountpoint))?;
    Ok(size()? > before)
}
