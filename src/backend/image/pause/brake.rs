//! Lets little wait in memory for the volumes of a pool that is nearly full.
//!
//! To freeze a file system writes out what its writers have in memory, which can be gigabytes, and needs room in the pool.
//! So while the reserve is near, what may wait for each volume is bounded, to a share of the reserve on the whole: writers
//! wait for the disk then. Where there is room they are as fast as memory.

use std::time::{Duration, Instant};

use super::Pausing;
use crate::backend::image::error::Result;
use crate::sys::writeback;
use crate::volume::Bytes;

/// How near the reserve is when writers are braked. More than can get from memory to the pool before the next look.
const NEAR: Bytes = Bytes::gib(2);

/// How often volumes are looked for that were mounted since.
const AGAIN: Duration = Duration::from_millis(250);

/// What may wait for one volume, at most and at least: with more no disk is faster, with less it would be much slower.
const MOST: Bytes = Bytes::mib(32);
const LEAST: Bytes = Bytes::mib(1);

/// Whether the writers of a pool are braked.
#[derive(Debug, Default)]
pub(super) enum Brake {
    /// Nobody knows: an earlier driver may have done so.
    #[default]
    Unknown,
    Off,
    /// Since or again at this moment.
    On(Instant),
}

// === impl Brake ===

impl Brake {
    /// Says how far it is to where the next thing has to be done, if so much is left above the reserve: to the reserve
    /// while writers are braked, and else to where they have to be.
    pub(super) fn distance(&self, left: Bytes) -> Bytes {
        match self {
            Self::On(_) => left,
            Self::Unknown | Self::Off => left.less(NEAR),
        }
    }

    /// Brakes or lets go, as is right where so much is left above the reserve.
    pub(super) fn set(&mut self, pausing: &Pausing, left: Bytes, reserve: Bytes) -> Result<()> {
        let is_near = match self {
            // A little further away than where it began, so that it does not flutter.
            Self::On(_) => left < Bytes(NEAR.0 + NEAR.0 / 2),
            Self::Unknown | Self::Off => left < NEAR,
        };
        match self {
            Self::On(since) if is_near && since.elapsed() < AGAIN => return Ok(()),
            Self::Off if !is_near => return Ok(()),
            Self::Unknown | Self::Off | Self::On(_) => {}
        }
        let devices = pausing.devices()?;
        // Said before it is done: a device that vanishes meanwhile must not keep the others.
        *self = if is_near { Self::On(Instant::now()) } else { Self::Off };
        let most = share(reserve, devices.len());
        for (_, device) in devices {
            if is_near { writeback::bound(&device, most.0)? } else { writeback::unbound(&device)? }
        }
        Ok(())
    }
}

/// Returns what each of so many volumes may have waiting: a quarter of the reserve for all.
fn share(reserve: Bytes, volumes: usize) -> Bytes {
    let volumes = u64::try_from(volumes).unwrap_or(u64::MAX).max(1);
    Bytes(reserve.0 / 4 / volumes).clamp(LEAST, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_together_have_a_quarter_of_the_reserve() {
        let reserve = Bytes::mib(256);
        assert_eq!(share(reserve, 0), MOST);
        assert_eq!(share(reserve, 1), MOST);
        assert_eq!(share(reserve, 4), Bytes::mib(16));
        assert_eq!(share(reserve, 64), LEAST);
        assert_eq!(share(reserve, 1000), LEAST);
    }

    #[test]
    fn what_is_far_away_is_looked_at_before_it_is_near() {
        assert_eq!(Brake::Off.distance(Bytes::gib(3)), Bytes::gib(1));
        assert_eq!(Brake::Off.distance(Bytes::gib(1)), Bytes::ZERO);
        assert_eq!(Brake::On(Instant::now()).distance(Bytes::gib(1)), Bytes::gib(1));
    }
}
