//! The limits of one device in one group, and the line in which version 2 has them:
//!
//! ```text
//! 7:0 rbps=1048576 wbps=max riops=max wiops=500
//! ```

use std::fmt;
use std::num::NonZeroU64;

use crate::sys::device::DeviceNumber;

/// How fast a device may be read and written; nothing is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IoMax {
    /// Bytes read in a second.
    pub read_bytes: Option<NonZeroU64>,
    /// Bytes written in a second.
    pub write_bytes: Option<NonZeroU64>,
    /// Reads in a second.
    pub read_operations: Option<NonZeroU64>,
    /// Writes in a second.
    pub write_operations: Option<NonZeroU64>,
}

// === impl IoMax ===

impl IoMax {
    /// Returns whether nothing is limited.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Returns what the text of an `io.max` says of the device.
    pub(super) fn parse(text: &str, device: DeviceNumber) -> Self {
        let number = device.to_string();
        let line =
            text.lines().find_map(|line| line.split_once(' ').filter(|(of, _)| *of == number));
        let mut all = Self::default();
        for (key, value) in line
            .into_iter()
            .flat_map(|(_, limits)| limits.split(' '))
            .filter_map(|one| one.split_once('='))
        {
            // `max` is no number, and no limit.
            let limit = value.parse().ok();
            match key {
                "rbps" => all.read_bytes = limit,
                "wbps" => all.write_bytes = limit,
                "riops" => all.read_operations = limit,
                "wiops" => all.write_operations = limit,
                // A newer kernel may limit more than we do.
                _ => {}
            }
        }
        all
    }

    /// Returns the line that sets these limits for the device; without any the kernel forgets the device.
    pub(super) fn line(self, device: DeviceNumber) -> String {
        let [read_bytes, write_bytes, read_operations, write_operations] =
            [self.read_bytes, self.write_bytes, self.read_operations, self.write_operations]
                .map(Shown);
        format!(
            "{device} rbps={read_bytes} wbps={write_bytes} riops={read_operations} wiops={write_operations}"
        )
    }
}

/// A limit as version 2 writes it.
struct Shown(Option<NonZeroU64>);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(limit) => limit.fmt(f),
            None => f.write_str("max"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: DeviceNumber = DeviceNumber { major: 7, minor: 1 };

    #[test]
    fn a_line_is_found_by_its_device() {
        let text = "7:0 rbps=1 wbps=2 riops=3 wiops=4\n7:1 rbps=max wbps=1048576 riops=500 wiops=max\n\
                    7:11 rbps=9 wbps=9 riops=9 wiops=9\n";
        let expected = IoMax {
            write_bytes: NonZeroU64::new(1 << 20),
            read_operations: NonZeroU64::new(500),
            ..IoMax::default()
        };
        assert_eq!(IoMax::parse(text, DEVICE), expected);
        assert_eq!(IoMax::parse(&expected.line(DEVICE), DEVICE), expected);
    }

    #[test]
    fn what_is_not_there_is_not_limited() {
        for text in ["", "\n", "7:1", "7:1 \n", "7:1 rbps=max later=5 wbps", "8:1 rbps=1 wbps=1"] {
            assert!(IoMax::parse(text, DEVICE).is_none(), "{text:?}");
        }
        assert_eq!(IoMax::default().line(DEVICE), "7:1 rbps=max wbps=max riops=max wiops=max");
    }
}
