//! From a capacity range to one size: never outside the range, a multiple of 4096, large enough for what is in it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Bytes;
use crate::csi::v1;
use crate::error::{Error, Result};

/// Every size is a multiple of this.
const UNIT: u64 = 4096;

/// A capacity range as it was asked for; nothing at all is a range, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Asked {
    /// The least size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<Bytes>,
    /// The greatest size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Bytes>,
}

/// What a size must respect besides the range.
#[derive(Debug, Clone, Copy)]
pub struct SizeLimits {
    /// The least size of the file system.
    pub least: Bytes,
    /// The size of the source, which a copy cannot undercut.
    pub source: Option<Bytes>,
    /// The size when nothing says otherwise.
    pub default: Bytes,
}

// === impl Asked ===

impl Asked {
    /// Reads the range of a request.
    pub fn of_csi(range: Option<&v1::CapacityRange>) -> Result<Self> {
        let Some(range) = range else { return Ok(Self::default()) };
        let required = part("capacity_range.required_bytes", range.required_bytes)?;
        let limit = part("capacity_range.limit_bytes", range.limit_bytes)?;
        if required.is_none() && limit.is_none() {
            return Err(Error::invalid("capacity_range", "needs required_bytes or limit_bytes"));
        }
        if let (Some(required), Some(limit)) = (required, limit)
            && required > limit
        {
            let reason = format!("requires {required}, more than its own limit of {limit}");
            return Err(Error::invalid("capacity_range", reason));
        }
        Ok(Self { required, limit })
    }

    /// Returns whether a volume of this size answers the request.
    pub fn fits(self, size: Bytes) -> bool {
        self.required.is_none_or(|required| size >= required)
            && self.limit.is_none_or(|limit| size <= limit)
    }

    /// Returns the size that is wished for, before it is known what its content needs.
    pub fn start(self, source: Option<Bytes>, default: Bytes) -> Bytes {
        self.required.unwrap_or_else(|| {
            let start = source.unwrap_or(default);
            self.limit.map_or(start, |limit| start.min(limit))
        })
    }

    /// Chooses the size of a new volume.
    pub fn choose(self, limits: SizeLimits) -> Result<Bytes> {
        let start = self.start(limits.source, limits.default);
        if let Some(source) = limits.source
            && start < source
        {
            let reason = format!(
                "a copy of {source} cannot be {start}: ask for at least the size of its source"
            );
            return Err(Error::OutOfRange { reason });
        }
        self.settle(start.max(limits.least))
    }

    /// Chooses the size to which a volume that has `now` grows; a volume never shrinks.
    pub fn grown(self, now: Bytes) -> Result<Bytes> {
        let target = self.settle(self.required.unwrap_or(now))?;
        match self.limit {
            Some(limit) if now > limit => Err(Error::OutOfRange {
                reason: format!(
                    "the volume has {now} already, more than the limit of {limit}; volumes do not shrink"
                ),
            }),
            _ => Ok(target.max(now)),
        }
    }

    /// Rounds the size up to a whole unit, or down where the limit leaves no room for that.
    fn settle(self, size: Bytes) -> Result<Bytes> {
        let rounded =
            size.round_up(UNIT).filter(|size| i64::try_from(size.0).is_ok()).ok_or_else(|| {
                Error::OutOfRange { reason: format!("{size} is more than any volume can have") }
            })?;
        let Some(limit) = self.limit.filter(|limit| rounded > *limit) else { return Ok(rounded) };
        // Without a required size the limit itself is the wish: the greatest unit below it is in the range.
        let below = limit.round_down(UNIT);
        if self.required.is_none() && size <= limit && below.0 > 0 {
            return Ok(below);
        }
        let reason = format!(
            "the least size here is {rounded} (a multiple of {UNIT} that its content fits in), above the limit of {limit}"
        );
        Err(Error::OutOfRange { reason })
    }
}

fn part(field: &'static str, value: i64) -> Result<Option<Bytes>> {
    match u64::try_from(value) {
        Ok(0) => Ok(None),
        Ok(bytes) => Ok(Some(Bytes(bytes))),
        Err(_) => Err(Error::invalid(field, format!("is {value}; a size is not negative"))),
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.required, self.limit) {
            (None, None) => f.write_str("any size"),
            (Some(required), None) => write!(f, "at least {required}"),
            (None, Some(limit)) => write!(f, "at most {limit}"),
            (Some(required), Some(limit)) if required == limit => write!(f, "exactly {required}"),
            (Some(required), Some(limit)) => write!(f, "from {required} to {limit}"),
        }
    }
}

#[cfg(test)]
mod tests;
