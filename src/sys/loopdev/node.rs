//! The loop devices that exist, and their nodes in `/dev`.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::LoopDevice;
use crate::sys::failure::{Doing, Failure, Result};

const SYSFS: &str = "/sys/block";

/// Returns the loop devices to which a file is attached, or was a moment ago.
pub(super) fn attached() -> Result<impl Iterator<Item = LoopDevice>> {
    Ok(all()?.filter(|device| {
        let name = device.path.file_name().unwrap_or_default();
        // The directory exists while the device is bound; asking hundreds of others would cost an open each.
        Path::new(SYSFS).join(name).join("loop/backing_file").exists()
    }))
}

/// Returns all loop devices that the kernel has.
pub(super) fn all() -> Result<impl Iterator<Item = LoopDevice>> {
    let entries = std::fs::read_dir(SYSFS).doing(|| format!("list {SYSFS}"))?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let numbers = names.filter_map(|name| name.strip_prefix("loop")?.parse::<u32>().ok());
    // A device can vanish between the listing and the look: then there is nothing to return.
    Ok(numbers.filter_map(|number| device(number).ok()))
}

/// Returns the device `/dev/loop<number>`. Its device number is read: partitions can spread the minors.
pub(super) fn device(number: u32) -> Result<LoopDevice> {
    let attribute = format!("{SYSFS}/loop{number}/dev");
    let text = std::fs::read_to_string(&attribute).doing(|| format!("read {attribute}"))?;
    let parsed = text.trim().parse();
    let number_of_device = parsed
        .map_err(|error| Failure::new(format!("read {attribute}"), std::io::Error::other(error)))?;
    Ok(LoopDevice { number: number_of_device, path: PathBuf::from(format!("/dev/loop{number}")) })
}

/// Opens the device for reading: enough to ask and to detach, and udev does not look at the device again when
/// it is closed.
pub(super) fn open(device: &LoopDevice) -> Result<File> {
    open_for(device, OFlags::RDONLY)
}

/// Opens the device for reading and writing, without which what is attached could only be read.
pub(super) fn open_writable(device: &LoopDevice) -> Result<File> {
    open_for(device, OFlags::RDWR)
}

fn open_for(device: &LoopDevice, access: OFlags) -> Result<File> {
    let doing = || format!("open {device}");
    let flags = access | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(CWD, &device.path, flags, Mode::empty()) {
        Err(Errno::NOENT) => {
            make(device)?;
            rustix::fs::openat(CWD, &device.path, flags, Mode::empty())
        }
        answer => answer,
    };
    let file = file.doing(doing)?;
    let found = rustix::fs::fstat(&file).doing(doing)?.st_rdev;
    if found != device.number.raw() {
        let reason = format!(
            "its numbers are not {} but {}",
            device.number,
            super::DeviceNumber::from(found)
        );
        return Err(Failure::refused(doing(), reason));
    }
    Ok(file.into())
}

/// Makes the node, which nobody else does where `/dev` is not a devtmpfs (in most containers).
fn make(device: &LoopDevice) -> Result<()> {
    let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::WGRP;
    let answer =
        rustix::fs::mknodat(CWD, &device.path, FileType::BlockDevice, mode, device.number.raw());
    match answer {
        Err(error) if std::io::Error::from(error).kind() == ErrorKind::AlreadyExists => Ok(()),
        answer => answer.doing(|| format!("make the node {device}")),
    }
}
