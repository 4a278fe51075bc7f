//! Ids: computed from the CSI name, never random, so that a retry speaks of the same thing.
//!
//! The alphabet is `[a-z0-9-]`: an id is at once a directory name, an LV name, an RBD image name and a
//! Kubernetes object name. A text that is no id of ours is an id of something that does not exist; only an
//! empty one is a mistake of the caller.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Name;
use super::digest::{DIGITS, digest};
use crate::error::{Error, Result};

/// A text that is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {kind}")]
pub struct NotAnId {
    text: String,
    kind: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $is:path, $kind:literal, $field:literal, $missing:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Returns the id that belongs to the CSI name.
            pub fn of(name: &Name) -> Self {
                Self(format!("{}{}", $prefix, digest(name.as_str())))
            }

            /// Reads the id that a request has in its required field.
            pub fn required(text: &str) -> Result<Self> {
                if text.is_empty() {
                    return Err(Error::invalid($field, "is required"));
                }
                text.parse().map_err(|_: NotAnId| $missing(text.escape_debug()))
            }

            /// Returns the id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> std::result::Result<Self, NotAnId> {
                if $is(text) {
                    return Ok(Self(text.to_owned()));
                }
                Err(NotAnId { text: text.to_owned(), kind: $kind })
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAnId;

            fn try_from(text: String) -> std::result::Result<Self, NotAnId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

id!(
    /// The id of a volume.
    VolumeId, "v-", is_volume, "a volume id: v- and 32 hex digits", "volume_id", Error::no_volume
);
id!(
    /// The id of a snapshot, be it a member of a group.
    SnapshotId, "s-", is_snapshot, "a snapshot id: s- and 32 hex digits, or a group's id, - and a number",
    "snapshot_id", Error::no_snapshot
);
id!(
    /// The id of a group snapshot.
    GroupId, "g-", is_group, "the id of a group snapshot: g- and 32 hex digits", "group_snapshot_id", Error::no_group
);

// === impl SnapshotId ===

impl SnapshotId {
    /// Returns the id of the group's member with this number.
    pub fn of_member(group: &GroupId, number: usize) -> Self {
        Self(format!("{group}-{number}"))
    }

    /// Returns the group whose member this is, if it is one.
    pub fn group(&self) -> Option<GroupId> {
        let (group, _number) = self.0.rsplit_once('-')?;
        group.parse().ok()
    }
}

fn is_volume(text: &str) -> bool {
    text.strip_prefix("v-").is_some_and(is_digest)
}

fn is_group(text: &str) -> bool {
    text.strip_prefix("g-").is_some_and(is_digest)
}

fn is_snapshot(text: &str) -> bool {
    text.strip_prefix("s-").is_some_and(is_digest)
        || text.rsplit_once('-').is_some_and(|(group, number)| is_group(group) && is_number(number))
}

/// Says whether the text is a number as we write it: two texts are never the same member.
fn is_number(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|number| number.to_string() == text)
}

fn is_digest(text: &str) -> bool {
    text.len() == DIGITS && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// > The id depends on the name alone, so a repeat speaks of the same volume whatever its class has become.
    #[test]
    fn an_id_depends_on_the_name_alone() {
        let id = VolumeId::of(&Name::parse("pvc-1").unwrap());
        assert_eq!(id, VolumeId::of(&Name::parse("pvc-1").unwrap()));
        assert_eq!(id.as_str(), "v-f2868e1aa7cab669517cd9f5ab1b7957");
        assert_ne!(id, VolumeId::of(&Name::parse("pvc-2").unwrap()));
    }

    /// > An id that Orlop never gave out is that of a thing that does not exist: NOT_FOUND to those who want it, OK
    /// > to those who want it gone. A required id that is empty is INVALID_ARGUMENT.
    #[test]
    fn what_is_no_id_does_not_exist_and_what_is_empty_is_invalid() {
        assert!(matches!(VolumeId::required(""), Err(Error::Invalid { field: "volume_id", .. })));
        let long = "v-".repeat(200);
        for text in
            ["fake-vol-id", "..", "v-../../../../etc/passwd", "/", "v-\0", "s-0", long.as_str()]
        {
            assert!(matches!(VolumeId::required(text), Err(Error::NotFound { .. })), "{text}");
        }
    }

    #[test]
    fn a_member_has_its_groups_id_and_one_number() {
        let group = GroupId::of(&Name::parse("nightly").unwrap());
        for number in [0, 7, 10, 65_535] {
            let id = SnapshotId::of_member(&group, number);
            assert_eq!(id.as_str().parse::<SnapshotId>().unwrap(), id);
            assert_eq!(id.group(), Some(group.clone()));
        }
        assert_eq!(SnapshotId::of(&Name::parse("nightly").unwrap()).group(), None);
        for tail in ["", "-", "-00", "-01", "-+1", "--1", "-65536", "-0-0", "-a", "/0"] {
            assert!(format!("{group}{tail}").parse::<SnapshotId>().is_err(), "{tail}");
        }
        assert!(SnapshotId::of_member(&group, 0).as_str().parse::<GroupId>().is_err());
    }

    proptest! {
        #[test]
        fn ids_round_trip(name in "[^\\p{Cc}]{1,32}") {
            let id = SnapshotId::of(&Name::parse(&name).unwrap());
            prop_assert_eq!(id.as_str().parse::<SnapshotId>().unwrap(), id.clone());
            prop_assert!(id.as_str().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
            prop_assert!(id.as_str().len() <= 63);
        }

        #[test]
        fn nothing_with_another_character_is_an_id(text in "\\PC*[^a-f0-9v-]\\PC*") {
            prop_assert!(text.parse::<VolumeId>().is_err());
        }
    }
}
