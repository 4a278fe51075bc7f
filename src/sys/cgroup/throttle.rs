//! The four files in which version 1 has the limits of a group, with a line for each limited device:
//!
//! ```text
//! 7:0 1048576
//! ```

use std::num::NonZeroU64;

use super::IoMax;
use crate::sys::device::DeviceNumber;

/// A file with one of the limits.
pub(super) struct File {
    pub(super) name: &'static str,
    pub(super) of: fn(&mut IoMax) -> &mut Option<NonZeroU64>,
}

/// All of them.
pub(super) const FILES: [File; 4] = [
    File { name: "blkio.throttle.read_bps_device", of: |max| &mut max.read_bytes },
    File { name: "blkio.throttle.write_bps_device", of: |max| &mut max.write_bytes },
    File { name: "blkio.throttle.read_iops_device", of: |max| &mut max.read_operations },
    File { name: "blkio.throttle.write_iops_device", of: |max| &mut max.write_operations },
];

/// Returns what the text of such a file says of the device.
pub(super) fn parse(text: &str, device: DeviceNumber) -> Option<NonZeroU64> {
    let number = device.to_string();
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.find(|(of, _)| *of == number)?.1.trim().parse().ok()
}

/// Returns the line that sets the limit for the device; with 0 the kernel forgets it.
pub(super) fn line(limit: Option<NonZeroU64>, device: DeviceNumber) -> String {
    format!("{device} {}", limit.map_or(0, NonZeroU64::get))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_by_its_device() {
        let device = DeviceNumber { major: 7, minor: 1 };
        assert_eq!(parse("7:11 5\n7:1 1048576\n", device), NonZeroU64::new(1 << 20));
        for text in ["", "7:1", "7:1 \n", "7:1 0\n", "8:1 5\n"] {
            assert_eq!(parse(text, device), None, "{text:?}");
        }
        assert_eq!(line(NonZeroU64::new(500), device), "7:1 500");
        assert_eq!(line(None, device), "7:1 0");
    }
}
