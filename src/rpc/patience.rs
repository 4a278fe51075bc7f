//! How long the caller waits, as gRPC tells it.

use std::time::Duration;

use tonic::codegen::http::HeaderMap;

/// More digits than this are no timeout of gRPC.
const MOST_DIGITS: usize = 8;

/// Returns how long the caller waits, if it says so. What cannot be read is tonic's to refuse.
pub(super) fn of(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let count = digits.parse().ok().filter(|_| is_number && digits.len() <= MOST_DIGITS)?;
    match unit {
        "H" => Some(Duration::from_hours(count)),
        "M" => Some(Duration::from_mins(count)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_up_to_eight_digits_and_a_unit() {
        for (text, expected) in [
            ("10S", Some(Duration::from_secs(10))),
            ("99999999n", Some(Duration::from_nanos(99_999_999))),
            ("9999u", Some(Duration::from_micros(9999))),
            ("250m", Some(Duration::from_millis(250))),
            ("1M", Some(Duration::from_mins(1))),
            ("1H", Some(Duration::from_hours(1))),
            ("", None),
            ("S", None),
            ("10", None),
            ("-1S", None),
            ("+1S", None),
            ("1 S", None),
            ("999999999S", None),
            ("10s", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", text.parse().unwrap());
            assert_eq!(of(&headers), expected, "{text:?}");
        }
        assert_eq!(of(&HeaderMap::new()), None);
    }
}
