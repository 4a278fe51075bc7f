//! What the config says about an image pool, in plain values: nothing here is looked up or decided.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::volume::Bytes;

/// However small the share is: a fast disk writes this in a fraction of a second.
const LEAST_THIN_RESERVE: Bytes = Bytes::mib(256);

/// An image pool as the config has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// As a storage class names it.
    pub name: String,
    /// The node that this driver runs on.
    pub node: String,
    /// Where the data is.
    pub place: Place,
    /// What a volume's size promises.
    pub provisioning: Provisioning,
    /// The share of the pool that stays free for metadata: thick volumes cannot be promised it.
    pub reserve: Percent,
    /// Below this share of free space nothing new is promised in a thin pool.
    pub low_water: Percent,
    /// What happens to the writers of a thin pool that has no room left.
    pub when_full: WhenFull,
    /// A directory of the driver, on no pool, for the mounts that nobody else is to see: the pools' own and
    /// those that finish a copy.
    pub mount_dir: PathBuf,
    /// Whether a mount directory without shared propagation is an error, because the next driver process, in
    /// another mount namespace, would not find the pool again.
    pub require_shared_mounts: bool,
    /// How long a volume may be frozen for a copy.
    pub freeze_limit: Duration,
}

/// Where a pool's data is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A block device that belongs to the pool alone.
    Device(PathBuf),
    /// A file that belongs to the pool alone, of this size and with all its blocks.
    File {
        /// The file; it is made when it does not exist.
        path: PathBuf,
        /// Its size.
        size: Bytes,
    },
    /// A directory on a file system that others may fill, too.
    Directory {
        /// The directory; it is made when it does not exist.
        path: PathBuf,
        /// Whether the admin accepts that others can take the space that a thick pool promises.
        shared_accepted: bool,
    },
    /// Nothing was said: something below this directory that is good enough for trying the driver out.
    DefaultAt(PathBuf),
}

/// What a volume's size promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provisioning {
    /// Every byte of it can be written, whatever the others do.
    Thick,
    /// All volumes together may be so many times larger than the pool.
    Thin(Ratio),
}

/// What happens to the writers of a thin pool that has no room left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// They wait, from the reserve on.
    Pause,
    /// They get errors, when there is not one block left.
    Fail,
}

/// A factor, kept exactly as so many hundredths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ratio {
    hundredths: u32,
}

/// A share of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(pub u8);

// === impl Settings ===

impl Settings {
    /// Returns where the pool's own mount is, if it needs one.
    pub fn mount_point(&self) -> PathBuf {
        self.mount_dir.join(&self.name)
    }

    /// Returns how much of a thin pool of this size is kept for what its volumes have written already: records, and
    /// pages that are still on their way to the disk.
    pub fn thin_reserve(&self, total: Bytes) -> Bytes {
        self.reserve.of_thin(total)
    }

    /// Says whether the pool's writers wait when it has no room.
    pub fn pauses(&self) -> bool {
        matches!(self.provisioning, Provisioning::Thin(_)) && self.when_full == WhenFull::Pause
    }

    /// Returns how an error message calls the pool.
    pub fn place_name(&self) -> String {
        format!("pool {}", self.name)
    }
}

// === impl Ratio ===

impl Ratio {
    /// Returns so many hundredths.
    pub const fn hundredths(hundredths: u32) -> Self {
        Self { hundredths }
    }

    /// Returns a whole factor.
    pub const fn whole(factor: u32) -> Self {
        Self { hundredths: factor.saturating_mul(100) }
    }

    /// Returns this many times the number, at most 2^64 − 1.
    pub fn times(self, bytes: Bytes) -> Bytes {
        scaled(bytes, self.hundredths)
    }
}

impl fmt::Display for Ratio {
    /// Writes the factor with as many decimals as it has.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.hundredths / 100, self.hundredths % 100);
        match rest {
            0 => write!(f, "{whole}"),
            tenths if tenths % 10 == 0 => write!(f, "{whole}.{}", tenths / 10),
            _ => write!(f, "{whole}.{rest:02}"),
        }
    }
}

// === impl Percent ===

impl Percent {
    /// Returns this share of a thin pool, as a reserve that serves its purpose.
    pub(super) fn of_thin(self, total: Bytes) -> Bytes {
        // A quarter, so that a small pool can be used at all.
        let floor = LEAST_THIN_RESERVE.min(Bytes(total.0 / 4));
        self.of(total).max(floor)
    }

    /// Returns this share of the number.
    pub fn of(self, bytes: Bytes) -> Bytes {
        scaled(bytes, u32::from(self.0))
    }
}

fn scaled(bytes: Bytes, hundredths: u32) -> Bytes {
    let exact = u128::from(bytes.0) * u128::from(hundredths) / 100;
    Bytes(u64::try_from(exact).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_of_a_thin_pool_has_a_floor_but_leaves_a_small_one_of_use() {
        assert_eq!(Percent(2).of_thin(Bytes::gib(100)), Bytes::gib(2));
        assert_eq!(Percent(2).of_thin(Bytes::gib(4)), Bytes::mib(256));
        assert_eq!(Percent(2).of_thin(Bytes::mib(512)), Bytes::mib(128));
    }

    #[test]
    fn shares_and_factors_are_exact_and_do_not_wrap() {
        assert_eq!(Percent(5).of(Bytes(1000)), Bytes(50));
        assert_eq!(Percent(0).of(Bytes::gib(1)), Bytes::ZERO);
        assert_eq!(Ratio::whole(10).times(Bytes::gib(1)), Bytes::gib(10));
        assert_eq!(Ratio::hundredths(150).times(Bytes(10)), Bytes(15));
        for (hundredths, text) in [(200, "2"), (150, "1.5"), (105, "1.05"), (1000, "10")] {
            assert_eq!(Ratio::hundredths(hundredths).to_string(), text);
        }
        assert_eq!(Ratio::whole(u32::MAX).times(Bytes(u64::MAX)), Bytes(u64::MAX));
    }
}
