//! Loop devices: block devices whose blocks are those of a file.
//!
//! Which device backs which file is asked of the kernel each time, by the device and inode numbers of the
//! file: a path would lie, once the mount namespace in which it was opened has died. An image is never behind
//! two loop devices, because ext4 would mount both.

mod attach;
mod detach;
mod image;
mod ioctl;
mod lost;
mod node;
mod status;

use std::fmt;
use std::path::{Path, PathBuf};

use super::device::DeviceNumber;
use super::failure::Result;

pub use attach::{AttachOptions, AttachedLoop, attach};
pub use detach::{detach, detach_image, mend, mend_all};
pub use image::{Backing, Image};
pub use lost::detach_lost;
pub use status::{LoopStatus, find, find_of, has, set_capacity, status};

/// A loop device, whether a file is attached to it or not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LoopDevice {
    /// The kernel's number for it.
    pub number: DeviceNumber,
    /// Its node, such as `/dev/loop3`.
    pub path: PathBuf,
}

// === impl LoopDevice ===

impl LoopDevice {
    /// Returns the loop device whose node is at `path`, as `mountinfo` names it; nothing when that is no loop
    /// device.
    pub fn at(path: &Path) -> Result<Option<Self>> {
        let number = super::device::of_node(path)?.filter(|number| number.major == ioctl::MAJOR);
        Ok(number.map(|number| Self { number, path: path.to_owned() }))
    }

    /// Returns the loop device with this number, if the kernel has one.
    pub fn numbered(number: DeviceNumber) -> Result<Option<Self>> {
        node::all().map(|mut devices| devices.find(|device| device.number == number))
    }
}

impl fmt::Display for LoopDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}
