//! How fast a volume may be read and written: the mutable parameters of CSI, a VolumeAttributesClass in Kubernetes.

use std::collections::HashMap;
use std::fmt;
use std::hash::BuildHasher;
use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

use super::parameters::is_of_sidecars;
use super::quantity::Quantity;
use crate::error::{Error, Result};

/// The field that carries them, in every request.
const FIELD: &str = "mutable_parameters";

/// The kernel counts operations in 32 bits.
const MOST_OPERATIONS: u64 = u32::MAX as u64;

/// How fast a volume may be read and written; nothing is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Reads in a second.
    #[serde(rename = "readIOPS", skip_serializing_if = "Option::is_none")]
    pub read_iops: Option<NonZeroU64>,
    /// Writes in a second.
    #[serde(rename = "writeIOPS", skip_serializing_if = "Option::is_none")]
    pub write_iops: Option<NonZeroU64>,
    /// Bytes read in a second.
    #[serde(rename = "readBytesPerSecond", skip_serializing_if = "Option::is_none")]
    pub read_bytes: Option<NonZeroU64>,
    /// Bytes written in a second.
    #[serde(rename = "writeBytesPerSecond", skip_serializing_if = "Option::is_none")]
    pub write_bytes: Option<NonZeroU64>,
}

/// One of the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    ReadIops,
    WriteIops,
    ReadBytes,
    WriteBytes,
}

/// A wish to change some of the limits; those that it does not name stay.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LimitsChange {
    named: Vec<(Key, Option<NonZeroU64>)>,
}

// === impl Limits ===

impl Limits {
    /// No limit at all.
    pub const NONE: Self =
        Self { read_iops: None, write_iops: None, read_bytes: None, write_bytes: None };

    /// Returns whether there is no limit at all.
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    /// Returns the limits with those changed that the change names.
    #[must_use]
    pub fn changed(mut self, change: &LimitsChange) -> Self {
        for (key, limit) in &change.named {
            *self.of(*key) = *limit;
        }
        self
    }

    fn of(&mut self, key: Key) -> &mut Option<NonZeroU64> {
        match key {
            Key::ReadIops => &mut self.read_iops,
            Key::WriteIops => &mut self.write_iops,
            Key::ReadBytes => &mut self.read_bytes,
            Key::WriteBytes => &mut self.write_bytes,
        }
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return f.pad("no limits");
        }
        let mut limits = *self;
        let set = Key::ALL.iter().filter_map(|key| Some((key, (*limits.of(*key))?)));
        let texts: Vec<String> =
            set.map(|(key, limit)| format!("{}={limit}", key.name())).collect();
        f.pad(&texts.join(" "))
    }
}

// === impl LimitsChange ===

impl LimitsChange {
    /// Reads the mutable parameters of a request: all of them, or none is taken.
    pub fn parse<S: BuildHasher>(parameters: &HashMap<String, String, S>) -> Result<Self> {
        // The resizer can be told to add keys of its own; sorted, so that of two mistakes the same is told first.
        let mut ours: Vec<_> = parameters.iter().filter(|(key, _)| !is_of_sidecars(key)).collect();
        ours.sort_unstable();
        let named: Result<_> = ours.into_iter().map(|(key, value)| named(key, value)).collect();
        Ok(Self { named: named? })
    }
}

fn named(key: &str, value: &str) -> Result<(Key, Option<NonZeroU64>)> {
    let Some(known) = Key::ALL.into_iter().find(|known| known.name() == key) else {
        let names = Key::ALL.map(Key::name).join(", ");
        return Err(Error::invalid(FIELD, format!("unknown key {key:?}; there is: {names}")));
    };
    let refused = |why: String| Error::invalid(FIELD, format!("{key}: {why}"));
    let Quantity(limit) =
        value.parse().map_err(|why: super::quantity::NotAQuantity| refused(why.to_string()))?;
    if known.counts_operations() && limit > MOST_OPERATIONS {
        let why = format!(
            "{limit} is more than the {MOST_OPERATIONS} that the kernel can count; 0 is no limit"
        );
        return Err(refused(why));
    }
    Ok((known, NonZeroU64::new(limit)))
}

// === impl Key ===

impl Key {
    const ALL: [Self; 4] = [Self::ReadIops, Self::WriteIops, Self::ReadBytes, Self::WriteBytes];

    fn name(self) -> &'static str {
        match self {
            Self::ReadIops => "readIOPS",
            Self::WriteIops => "writeIOPS",
            Self::ReadBytes => "readBytesPerSecond",
            Self::WriteBytes => "writeBytesPerSecond",
        }
    }

    fn counts_operations(self) -> bool {
        matches!(self, Self::ReadIops | Self::WriteIops)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<LimitsChange> {
        let map = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        LimitsChange::parse(&map.collect::<HashMap<_, _>>())
    }

    #[test]
    fn what_is_named_changes_and_the_rest_stays() {
        let change = parse(&[("readIOPS", "500"), ("writeBytesPerSecond", "1.5Mi")]).unwrap();
        let first = Limits::NONE.changed(&change);
        assert_eq!(first.read_iops, NonZeroU64::new(500));
        assert_eq!(first.write_bytes, NonZeroU64::new(3 << 19));
        assert_eq!((first.write_iops, first.read_bytes), (None, None));
        let off = parse(&[("readIOPS", "0"), ("csi.storage.k8s.io/pvc/name", "x")]).unwrap();
        let second = first.changed(&off);
        assert_eq!(second, Limits { read_iops: None, ..first });
        assert_eq!(second.changed(&LimitsChange::default()), second);
        assert_eq!(second.to_string(), "writeBytesPerSecond=1572864");
    }

    #[test]
    fn mistakes_name_the_key_and_what_there_is() {
        for (pairs, expected) in [
            (
                &[("readIOPS", "1"), ("XXX_FakeKey", "x")][..],
                "mutable_parameters: unknown key \"XXX_FakeKey\"; there is: readIOPS, writeIOPS, \
                 readBytesPerSecond, writeBytesPerSecond",
            ),
            (&[("writeIOPS", "fast")], "writeIOPS: \"fast\" is no quantity"),
            (&[("writeIOPS", "-1")], "writeIOPS: \"-1\" is no quantity"),
            (&[("readIOPS", "5G")], "readIOPS: 5000000000 is more than"),
        ] {
            let sentence = parse(pairs).unwrap_err().sentence();
            assert!(sentence.contains(expected), "{sentence}");
        }
    }

    #[test]
    fn a_record_has_them_under_the_names_that_users_write() {
        let limits = Limits { read_iops: NonZeroU64::new(7), ..Limits::NONE };
        assert_eq!(serde_json::to_string(&limits).unwrap(), r#"{"readIOPS":7}"#);
        assert_eq!(serde_json::from_str::<Limits>(r#"{"readIOPS":7}"#).unwrap(), limits);
        assert!(serde_json::from_str::<Limits>(r#"{"readIOPS":0}"#).is_err());
    }
}
