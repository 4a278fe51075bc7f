//! The loop devices that exist, and their nodes in `/dev`.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::{DeviceNumber, LoopDevice};
use crate::sys::failure::{Doing, Failure, Result};

const SYSFS: &str = "/sys/block";

/// The kernel's list of disks that have a size, which a loop device has just as long as a file is attached.
const SIZED: &str = "/proc/partitions";

/// Returns the loop devices to which a file is attached, or was a moment ago.
///
/// One read tells them from the hundreds that have none: to ask each of those in sysfs costs more than all that is
/// done with the answer.
pub(super) fn attached() -> Result<Vec<LoopDevice>> {
    let text = std::fs::read_to_string(SIZED).doing(|| format!("read {SIZED}"))?;
    Ok(text.lines().filter_map(loop_of_line).collect())
}

/// Reads one line of the list: the numbers, the size and the name of a disk or of a partition.
fn loop_of_line(line: &str) -> Option<LoopDevice> {
    let mut words = line.split_ascii_whitespace();
    let (major, minor) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let name = words.nth(1)?;
    // A partition of such a device is named `loop3p1`.
    name.strip_prefix("loop")?.parse::<u32>().ok()?;
    Some(LoopDevice { number: DeviceNumber { major, minor }, path: Path::new("/dev").join(name) })
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
        let reason =
            format!("its numbers are not {} but {}", device.number, DeviceNumber::from(found));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_loop_devices_are_read_from_the_list() {
        let number = |minor| DeviceNumber { major: 7, minor };
        for (line, expected) in [
            ("   7        3    1048576 loop3", Some((number(3), "/dev/loop3"))),
            ("   7  1048575          4 loop65535", Some((number(1_048_575), "/dev/loop65535"))),
            (" 259        0       1024 loop3p1", None),
            (" 254        0  268435456 vda", None),
            ("major minor  #blocks  name", None),
            ("", None),
        ] {
            let found = loop_of_line(line);
            let found = found.as_ref().map(|device| (device.number, device.path.to_str().unwrap()));
            assert_eq!(found, expected, "{line:?}");
        }
    }
}
