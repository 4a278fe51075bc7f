//! Health as conditions: `Healthy` for `kubectl wait` and a column, and one more for each thing that is the matter.
//!
//! What is the matter is a condition whose type is its [`Reason`], whose status is True for as long as it is there,
//! and whose reason is how bad it is. So the list says all that CSI is told, and a controller can tell it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{instant, schema};
use crate::volume::{self, Reason, Severity, StorageCondition, StorageSeverity, Timestamp};

/// The condition that is True while nothing is the matter.
pub const HEALTHY: &str = "Healthy";

/// Why something is healthy.
const WELL: &str = "NothingIsTheMatter";

/// Something that is so or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What it is: Healthy, or what is the matter.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 63), regex(pattern = schema::WORD))]
    pub kind: String,
    /// Whether it is so.
    #[schemars(extend("enum" = ["True", "False", "Unknown"]))]
    pub status: String,
    /// A word for programs: of Healthy what is the matter, of what is the matter how bad it is.
    #[schemars(length(min = 1, max = 63), regex(pattern = schema::WORD))]
    pub reason: String,
    /// The same as a sentence for people, with what to do.
    #[schemars(length(max = schema::LONGEST_MESSAGE))]
    pub message: String,
    /// When the status became what it is.
    #[schemars(length(max = 63), extend("format" = "date-time"))]
    pub last_transition_time: String,
}

/// Returns the conditions of a volume with which this is the matter, and which had those before.
pub fn conditions(
    found: &[volume::Condition],
    before: &[Condition],
    now: Timestamp,
) -> Vec<Condition> {
    let matters = found.iter().map(|one| (one.reason, one.severity, &*one.message));
    told(&worst(matters), before, now)
}

/// Returns what is the matter with a volume that has these conditions. What only a newer Orlop knows is left out.
pub fn health(conditions: &[Condition]) -> Vec<volume::Condition> {
    let understood = conditions.iter().filter_map(understood);
    understood
        .map(|(reason, severity, message)| volume::Condition { severity, reason, message })
        .collect()
}

/// Returns the conditions of a pool with which this is the matter, and which had those before.
pub fn storage_conditions(
    found: &[StorageCondition],
    before: &[Condition],
    now: Timestamp,
) -> Vec<Condition> {
    let matters = found.iter().map(|one| (one.reason, one.severity, &*one.message));
    told(&worst(matters), before, now)
}

/// Returns what is the matter with a pool that has these conditions. What only a newer Orlop knows is left out.
pub fn storage_health(conditions: &[Condition]) -> Vec<StorageCondition> {
    let understood = conditions.iter().filter_map(understood);
    understood
        .map(|(reason, severity, message)| StorageCondition { severity, reason, message })
        .collect()
}

/// How bad something is.
trait Badness: Copy + Ord {
    /// Returns the word for it.
    fn word(self) -> &'static str;

    /// Returns what the word means.
    fn of_word(word: &str) -> Option<Self>;
}

impl Badness for Severity {
    fn word(self) -> &'static str {
        match self {
            Self::Degraded => "Degraded",
            Self::Inaccessible => "Inaccessible",
            Self::DataLoss => "DataLoss",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        let all = [Self::Degraded, Self::Inaccessible, Self::DataLoss];
        all.into_iter().find(|one| one.word() == word)
    }
}

impl Badness for StorageSeverity {
    fn word(self) -> &'static str {
        match self {
            Self::Degraded => "Degraded",
            Self::Unreachable => "Unreachable",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        [Self::Degraded, Self::Unreachable].into_iter().find(|one| one.word() == word)
    }
}

/// Joins what has the same reason: it is as bad as the worst of it.
fn worst<'a, B: Badness>(
    matters: impl Iterator<Item = (Reason, B, &'a str)>,
) -> BTreeMap<Reason, (B, String)> {
    let mut all = BTreeMap::new();
    for (reason, badness, message) in matters {
        let (worst, text) = all.entry(reason).or_insert((badness, String::new()));
        *worst = badness.max(*worst);
        if !text.is_empty() {
            text.push_str("; ");
        }
        text.push_str(message);
    }
    all
}

fn told<B: Badness>(
    matters: &BTreeMap<Reason, (B, String)>,
    before: &[Condition],
    now: Timestamp,
) -> Vec<Condition> {
    let summary = match matters.iter().max_by_key(|(_, (badness, _))| *badness) {
        Some((reason, (_, message))) => (HEALTHY.to_owned(), false, reason.to_string(), &**message),
        None => (HEALTHY.to_owned(), true, WELL.to_owned(), ""),
    };
    let each = matters.iter().map(|(reason, (badness, message))| {
        (reason.to_string(), true, badness.word().to_owned(), &**message)
    });
    let all = std::iter::once(summary).chain(each);
    all.map(|(kind, so, reason, message)| {
        let status = if so { "True" } else { "False" };
        let same = before.iter().find(|one| one.kind == kind && one.status == status);
        Condition {
            status: status.to_owned(),
            reason,
            message: schema::as_message(message),
            last_transition_time: same
                .map_or_else(|| instant::second(now), |one| one.last_transition_time.clone()),
            kind,
        }
    })
    .collect()
}

fn understood<B: Badness>(condition: &Condition) -> Option<(Reason, B, String)> {
    let reason = Reason::ALL.into_iter().find(|reason| reason.to_string() == condition.kind)?;
    let badness = B::of_word(&condition.reason).filter(|_| condition.status == "True")?;
    Some((reason, badness, condition.message.clone()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::{select, subsequence};

    use super::*;

    fn at(second: u64) -> Timestamp {
        Timestamp::of_nanos(second * 1_000_000_000)
    }

    #[test]
    fn nothing_is_a_condition_too_and_keeps_its_time() {
        let first = conditions(&[], &[], at(1));
        assert_eq!(first.len(), 1);
        assert_eq!((&*first[0].kind, &*first[0].status), (HEALTHY, "True"));
        assert_eq!(conditions(&[], &first, at(2)), first);
        assert!(health(&first).is_empty());
    }

    #[test]
    fn what_is_the_matter_is_told_once_and_its_time_is_when_it_began() {
        let full = StorageCondition {
            severity: StorageSeverity::Degraded,
            reason: Reason::PoolFull,
            message: "pool p is full".to_owned(),
        };
        let dead = StorageCondition {
            severity: StorageSeverity::Unreachable,
            reason: Reason::PoolUnreachable,
            message: "pool p is dead".to_owned(),
        };
        let well = storage_conditions(&[], &[], at(0));
        let first = storage_conditions(std::slice::from_ref(&full), &well, at(1));
        let second = storage_conditions(&[full.clone(), dead.clone()], &first, at(2));
        let times: Vec<_> = second
            .iter()
            .map(|one| (&*one.kind, &*one.status, &*one.reason, &*one.last_transition_time))
            .collect();
        assert_eq!(
            times,
            [
                ("Healthy", "False", "PoolUnreachable", "1970-01-01T00:00:01Z"),
                ("PoolFull", "True", "Degraded", "1970-01-01T00:00:01Z"),
                ("PoolUnreachable", "True", "Unreachable", "1970-01-01T00:00:02Z"),
            ]
        );
        assert_eq!(storage_health(&second), [full, dead]);
    }

    #[test]
    fn the_same_reason_twice_is_as_bad_as_the_worst() {
        let found = [
            volume::Condition::inaccessible(Reason::FileSystemError, "one"),
            volume::Condition::degraded(Reason::FileSystemError, "two"),
        ];
        let expected = volume::Condition::inaccessible(Reason::FileSystemError, "one; two");
        assert_eq!(health(&conditions(&found, &[], at(1))), [expected]);
    }

    #[test]
    fn what_a_newer_orlop_says_hides_nothing_else() {
        let found = [volume::Condition::data_loss(Reason::ImageMissing, "gone")];
        let mut told = conditions(&found, &[], at(1));
        let newer = Condition { kind: "Haunted".to_owned(), ..told[1].clone() };
        let worse = Condition { reason: "Hopeless".to_owned(), ..told[1].clone() };
        told.extend([newer, worse]);
        assert_eq!(health(&told), found);
    }

    fn severity() -> impl Strategy<Value = Severity> {
        select(vec![Severity::Degraded, Severity::Inaccessible, Severity::DataLoss])
    }

    proptest! {
        #[test]
        fn health_round_trips(
            reasons in subsequence(Reason::ALL.to_vec(), 0..=Reason::ALL.len()),
            severities in proptest::collection::vec(severity(), Reason::ALL.len()),
            message in "\\PC{1,40}",
        ) {
            let found: Vec<_> = reasons.into_iter().zip(severities).map(|(reason, severity)| {
                volume::Condition { severity, reason, message: message.clone() }
            }).collect();
            prop_assert_eq!(health(&conditions(&found, &[], at(1))), found);
        }
    }
}
