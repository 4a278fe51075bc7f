//! Instants as the API has them: RFC 3339.

use k8s_openapi::jiff;

use crate::volume::Timestamp;

/// A text that is no instant of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no instant between 1970 and 2554, written as 2026-11-26T07:27:04.5Z")]
pub(super) struct NotAnInstant(String);

/// Returns the instant with its nanoseconds, so that it is the same wherever it is told.
pub(super) fn exact(instant: Timestamp) -> String {
    civil(instant).to_string()
}

/// Returns the second that the instant lies in, as Kubernetes writes what happened to a condition.
pub(super) fn second(instant: Timestamp) -> String {
    format!("{:.0}", civil(instant))
}

/// Reads an instant.
pub(super) fn read(text: &str) -> Result<Timestamp, NotAnInstant> {
    let parsed = text.parse::<jiff::Timestamp>().ok();
    let nanos = parsed.and_then(|instant| u64::try_from(instant.as_nanosecond()).ok());
    nanos.map(Timestamp::of_nanos).ok_or_else(|| NotAnInstant(text.to_owned()))
}

fn civil(instant: Timestamp) -> jiff::Timestamp {
    // It holds more than our instants can be.
    jiff::Timestamp::from_nanosecond(instant.nanos().into()).unwrap_or(jiff::Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn instants_are_written_as_the_api_reads_them() {
        let instant = Timestamp::of_nanos(1_795_678_024_987_654_321);
        assert_eq!(exact(instant), "2026-11-26T07:27:04.987654321Z");
        assert_eq!(second(instant), "2026-11-26T07:27:04Z");
        assert_eq!(exact(Timestamp::of_nanos(0)), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn what_the_api_server_lets_pass_and_is_no_instant_is_told() {
        // Its own check looks at the shape alone.
        for text in ["", "yesterday", "2026-11-26T07:27:04+99:99", "1969-12-31T23:59:59Z"] {
            let told = read(text).unwrap_err().to_string();
            assert!(told.contains(&format!("{text:?}")), "{told}");
        }
    }

    proptest! {
        #[test]
        fn instants_round_trip(nanos: u64) {
            let instant = Timestamp::of_nanos(nanos);
            prop_assert_eq!(read(&exact(instant)).unwrap(), instant);
            let second = read(&second(instant)).unwrap().nanos();
            prop_assert_eq!(second, nanos - nanos % 1_000_000_000);
        }
    }
}
