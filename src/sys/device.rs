//! The pair of numbers by which the kernel knows a device.

mod pattern;

use std::fmt;
use std::num::ParseIntError;
use std::path::Path;
use std::str::FromStr;

use rustix::fs::FileType;

pub use pattern::{is_pattern, matching};

use super::failure::{Doing, Result};

/// A device's major and minor number, shown as the kernel shows them: `7:3`.
///
/// For a file system without a device of its own (btrfs, overlay) the numbers are made up by the kernel
/// and name no node in `/dev`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceNumber {
    /// Which driver.
    pub major: u32,
    /// Which of its devices.
    pub minor: u32,
}

/// A text that is not two numbers with a colon between them.
#[derive(Debug, thiserror::Error)]
#[error("not a device number: {text:?}")]
pub struct NotADeviceNumber {
    text: String,
    #[source]
    source: Option<ParseIntError>,
}

/// Returns the number of the device whose node is at `path`, or nothing when that is no block device.
pub fn of_node(path: &Path) -> Result<Option<DeviceNumber>> {
    let stat = rustix::fs::stat(path).doing(|| format!("look at {}", path.display()))?;
    let block = FileType::from_raw_mode(stat.st_mode).is_block_device();
    Ok(block.then(|| DeviceNumber::from(stat.st_rdev)))
}

impl DeviceNumber {
    /// Returns the number as `st_dev` and `st_rdev` carry it.
    pub fn raw(self) -> u64 {
        rustix::fs::makedev(self.major, self.minor)
    }
}

impl From<u64> for DeviceNumber {
    fn from(raw: u64) -> Self {
        Self { major: rustix::fs::major(raw), minor: rustix::fs::minor(raw) }
    }
}

impl FromStr for DeviceNumber {
    type Err = NotADeviceNumber;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |source| NotADeviceNumber { text: text.to_owned(), source };
        let (major, minor) = text.split_once(':').ok_or_else(|| wrong(None))?;
        let number = |digits: &str| digits.parse().map_err(|source| wrong(Some(source)));
        Ok(Self { major: number(major)?, minor: number(minor)? })
    }
}

impl fmt::Display for DeviceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_each_form() {
        for (major, minor) in [(7, 3), (0, 0), (8, 16), (259, 1_048_575), (4095, 255)] {
            let number = DeviceNumber { major, minor };
            assert_eq!(DeviceNumber::from(number.raw()), number);
            assert_eq!(number.to_string().parse::<DeviceNumber>().unwrap(), number);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "7", "7:", ":3", "7:3:1", "a:b", "-1:0"] {
            assert!(text.parse::<DeviceNumber>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_file_is_no_device() {
        assert_eq!(of_node(Path::new("/dev/null")).unwrap(), None);
        assert_eq!(of_node(Path::new("/proc/self/status")).unwrap(), None);
        assert!(of_node(Path::new("/nonexistent")).unwrap_err().is_not_found());
    }
}
