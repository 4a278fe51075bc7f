//! The calls of `/dev/loop-control` and of the loop devices themselves, made safe and no more than that.

#![expect(
    unsafe_code,
    reason = "the loop driver speaks ioctl only, and no crate that we use wraps it"
)]

use std::fs::File;
use std::os::fd::AsRawFd;

use linux_raw_sys::loop_device::{
    LOOP_CLR_FD, LOOP_CONFIGURE, LOOP_CTL_GET_FREE, LOOP_GET_STATUS64, LOOP_SET_CAPACITY,
    LOOP_SET_STATUS64, loop_config, loop_info64,
};
use nix::Result;

/// The major number of every loop device.
pub(super) const MAJOR: u32 = 7;

nix::ioctl_none_bad!(loop_ctl_get_free, LOOP_CTL_GET_FREE);
nix::ioctl_none_bad!(loop_clr_fd, LOOP_CLR_FD);
nix::ioctl_none_bad!(loop_set_capacity, LOOP_SET_CAPACITY);
nix::ioctl_read_bad!(loop_get_status64, LOOP_GET_STATUS64, loop_info64);
nix::ioctl_write_ptr_bad!(loop_set_status64, LOOP_SET_STATUS64, loop_info64);
nix::ioctl_write_ptr_bad!(loop_configure, LOOP_CONFIGURE, loop_config);

/// Returns the number of a device that was free a moment ago; the kernel makes one if there is none.
pub(super) fn free_number(control: &File) -> Result<i32> {
    // SAFETY: the descriptor is open for the whole call, which takes no argument.
    unsafe { loop_ctl_get_free(control.as_raw_fd()) }
}

/// Attaches a file with all its settings at once. EBUSY when the device is not free any more.
pub(super) fn configure(device: &File, config: &loop_config) -> Result<()> {
    // SAFETY: the descriptors are open for the whole call, and the kernel reads one structure laid out as it
    // expects.
    unsafe { loop_configure(device.as_raw_fd(), config) }.map(drop)
}

/// Returns what is attached. ENXIO when nothing is.
pub(super) fn status(device: &File) -> Result<loop_info64> {
    let mut info = EMPTY;
    // SAFETY: the descriptor is open for the whole call, and the kernel writes one structure laid out as it
    // expects.
    unsafe { loop_get_status64(device.as_raw_fd(), &raw mut info) }.map(|_| info)
}

/// Changes the flags of what is attached.
pub(super) fn set_status(device: &File, info: &loop_info64) -> Result<()> {
    // SAFETY: the descriptor is open for the whole call, and the kernel reads one structure laid out as it
    // expects.
    unsafe { loop_set_status64(device.as_raw_fd(), info) }.map(drop)
}

/// Detaches the file, or sees to it that it is detached when the last user is gone.
pub(super) fn clear(device: &File) -> Result<()> {
    // SAFETY: the descriptor is open for the whole call, which takes no argument.
    unsafe { loop_clr_fd(device.as_raw_fd()) }.map(drop)
}

/// Makes the device as long as its file is now.
pub(super) fn set_capacity(device: &File) -> Result<()> {
    // SAFETY: the descriptor is open for the whole call, which takes no argument.
    unsafe { loop_set_capacity(device.as_raw_fd()) }.map(drop)
}

/// Settings that say nothing: the whole file, no flags.
pub(super) const EMPTY: loop_info64 = loop_info64 {
    lo_device: 0,
    lo_inode: 0,
    lo_rdevice: 0,
    lo_offset: 0,
    lo_sizelimit: 0,
    lo_number: 0,
    lo_encrypt_type: 0,
    lo_encrypt_key_size: 0,
    lo_flags: 0,
    lo_file_name: [0; 64],
    lo_crypt_name: [0; 64],
    lo_encrypt_key: [0; 32],
    lo_init: [0; 2],
};
