//! What is attached to a loop device, and which devices a file is attached to.

use std::fs::File;

use linux_raw_sys::loop_device::{
    LO_FLAGS_AUTOCLEAR, LO_FLAGS_DIRECT_IO, LO_FLAGS_READ_ONLY, loop_info64,
};
use nix::errno::Errno;

use super::lost::is_dead;
use super::{Backing, LoopDevice, ioctl, node};
use crate::sys::block;
use crate::sys::failure::{Doing, Failure, Result};
use crate::sys::lease;

/// What is attached to a loop device, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoopStatus {
    /// Which file.
    pub backing: Backing,
    /// Where in the file the device begins.
    pub offset: u64,
    /// After how many bytes it ends; zero is the end of the file.
    pub size_limit: u64,
    /// Whether it can only be read.
    pub read_only: bool,
    /// Whether the file is detached when the last user is gone.
    pub autoclear: bool,
    /// Whether the kernel reads and writes the file past its page cache.
    pub direct_io: bool,
    /// The smallest piece that the device reads or writes.
    pub block_size: u32,
}

/// Returns what is attached to `device`, or nothing.
pub fn status(device: &LoopDevice) -> Result<Option<LoopStatus>> {
    match node::open(device) {
        Ok(file) => of_open(&file, device),
        // The kernel removes devices on request, and refuses to open one that it is just removing.
        Err(failure) if is_gone(&failure) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Returns the loop devices that the file `backing` is attached to. More than one is a mistake of somebody.
pub fn find(backing: &Backing) -> Result<Vec<LoopDevice>> {
    let mut found = Vec::new();
    for device in node::attached()? {
        if has(&device, backing)? {
            found.push(device);
        }
    }
    Ok(found)
}

/// Returns the same for a file that is open here. Where nobody else has it open no device has it, and none is asked.
pub fn find_of(file: &File) -> Result<Vec<LoopDevice>> {
    if lease::is_alone(file)? { Ok(Vec::new()) } else { find(&Backing::of(file)?) }
}

/// Says whether the file `backing` is attached to `device`.
pub fn has(device: &LoopDevice, backing: &Backing) -> Result<bool> {
    Ok(backing_of(device)? == Some(*backing))
}

/// Makes `device` as long as its file is now.
pub fn set_capacity(device: &LoopDevice) -> Result<()> {
    ioctl::set_capacity(&node::open(device)?).doing(|| format!("grow {device} to its file's size"))
}

/// Returns which file is attached to `device`, or nothing. A file whose disk is gone is nobody's: whoever looks for
/// a file has just asked it for its numbers.
fn backing_of(device: &LoopDevice) -> Result<Option<Backing>> {
    let file = match node::open(device) {
        Err(failure) if is_gone(&failure) => return Ok(None),
        answer => answer?,
    };
    match ioctl::status(&file) {
        Err(Errno::ENXIO) => Ok(None),
        Err(errno) if is_dead(errno) => Ok(None),
        answer => Ok(Some(backing(&answer.doing(|| asking(device))?))),
    }
}

fn backing(info: &loop_info64) -> Backing {
    Backing { dev: info.lo_device, ino: info.lo_inode }
}

fn asking(device: &LoopDevice) -> String {
    format!("ask what is attached to {device}")
}

/// Returns what is attached to `device`, which is open as `file`.
pub(super) fn of_open(file: &File, device: &LoopDevice) -> Result<Option<LoopStatus>> {
    let doing = || asking(device);
    let info = match ioctl::status(file) {
        Err(Errno::ENXIO) => return Ok(None),
        answer => answer.doing(doing)?,
    };
    let block_size = block::logical_block_size_of(file).doing(doing)?;
    Ok(Some(LoopStatus::new(&info, block_size)))
}

pub(super) fn is_gone(failure: &Failure) -> bool {
    use rustix::io::Errno;
    matches!(failure.errno(), Some(Errno::NXIO | Errno::NODEV))
}

// === impl LoopStatus ===

impl LoopStatus {
    fn new(info: &loop_info64, block_size: u32) -> Self {
        let has = |flag: u32| info.lo_flags & flag != 0;
        Self {
            backing: backing(info),
            offset: info.lo_offset,
            size_limit: info.lo_sizelimit,
            read_only: has(LO_FLAGS_READ_ONLY as u32),
            autoclear: has(LO_FLAGS_AUTOCLEAR as u32),
            direct_io: has(LO_FLAGS_DIRECT_IO as u32),
            block_size,
        }
    }
}
