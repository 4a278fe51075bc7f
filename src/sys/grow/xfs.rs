//! Grows XFS.

#![expect(
    unsafe_code,
    reason = "XFS has ioctls of its own for it, which no crate that we use wraps"
)]

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;

use super::{doing, open};
use crate::sys::failure::{Doing, Result};

/// `struct xfs_fsop_geom_v1` of `xfs/libxfs/xfs_fs.h`: the oldest form, which every kernel answers.
#[repr(C)]
#[derive(Debug, Default)]
struct Geometry {
    block_size: u32,
    rt_extent_size: u32,
    ag_blocks: u32,
    ag_count: u32,
    log_blocks: u32,
    sector_size: u32,
    inode_size: u32,
    imax_percent: u32,
    data_blocks: u64,
    rt_blocks: u64,
    rt_extents: u64,
    log_start: u64,
    uuid: [u8; 16],
    stripe_unit: u32,
    stripe_width: u32,
    version: i32,
    flags: u32,
    log_sector_size: u32,
    rt_sector_size: u32,
    dir_block_size: u32,
}

/// `struct xfs_growfs_data` of the same header.
#[repr(C)]
#[derive(Debug)]
struct Growth {
    new_blocks: u64,
    imax_percent: u32,
}

mod raw {
    nix::ioctl_read!(xfs_ioc_fsgeometry_v1, b'X', 100, super::Geometry);
    nix::ioctl_write_ptr!(xfs_ioc_fsgrowfsdata, b'X', 110, super::Growth);
}

/// Grows the XFS at `mountpoint` to a device of `device_bytes`. Returns whether it became larger.
///
/// A rest that is too short for an allocation group stays unused, so that the size need not be reached.
pub fn xfs(mountpoint: &Path, device_bytes: u64) -> Result<bool> {
    let root = open(mountpoint)?;
    let before = geometry(&root, mountpoint)?;
    let new_blocks = device_bytes.checked_div(before.block_size.into()).unwrap_or(0);
    // The kernel would take a smaller number as a wish to shrink.
    if new_blocks <= before.data_blocks {
        return Ok(false);
    }
    let growth = Growth { new_blocks, imax_percent: before.imax_percent };
    // SAFETY: the descriptor is open for the whole call, and the kernel reads one structure laid out as it
    // expects.
    let answer = unsafe { raw::xfs_ioc_fsgrowfsdata(root.as_raw_fd(), &raw const growth) };
    answer.doing(|| doing(mountpoint))?;
    Ok(geometry(&root, mountpoint)?.data_blocks > before.data_blocks)
}

fn geometry(root: &File, mountpoint: &Path) -> Result<Geometry> {
    let mut geometry = Geometry::default();
    // SAFETY: the descriptor is open for the whole call, and the kernel writes one structure laid out as it
    // expects.
    let answer = unsafe { raw::xfs_ioc_fsgeometry_v1(root.as_raw_fd(), &raw mut geometry) };
    answer.doing(|| format!("read the geometry of the XFS at {}", mountpoint.display()))?;
    Ok(geometry)
}
