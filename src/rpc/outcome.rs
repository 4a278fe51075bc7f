//! The one line about every call: its code, how long it took, and what went wrong.

use std::borrow::Cow;
use std::time::Duration;

use tonic::{Code, Status};
use tracing::Level;

use super::Method;

/// Logs how the call ended, at the level of what that means to an operator.
pub(super) fn log(method: Method, status: &Status, took: Duration) {
    let code = status.code();
    let name = code_name(code);
    let took = format_args!("{took:.1?}");
    // The macros want their level at compile time.
    match (level(method, code), &*one_line(status.message())) {
        (Level::ERROR, message) => tracing::error!(code = name, duration = %took, "{message}"),
        (Level::WARN, message) => tracing::warn!(code = name, duration = %took, "{message}"),
        (Level::INFO, "") => tracing::info!(code = name, duration = %took, "done"),
        (Level::INFO, message) => tracing::info!(code = name, duration = %took, "{message}"),
        (_, "") => tracing::debug!(code = name, duration = %took, "done"),
        (_, message) => tracing::debug!(code = name, duration = %took, "{message}"),
    }
}

/// Returns the text with every end of a line shown and not done: what a caller has written is quoted in messages, and
/// must not become a line that looks like one of ours.
fn one_line(text: &str) -> Cow<'_, str> {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if !text.contains(breaks) {
        return Cow::Borrowed(text);
    }
    let shown = text
        .chars()
        .map(|c| if breaks(c) { c.escape_default().to_string() } else { c.to_string() });
    Cow::Owned(shown.collect())
}

/// What is expected does not shout: a change is told, a look is not, a caller's mistake is worth a look, and
/// what failed without anybody's mistake is the operator's business.
fn level(method: Method, code: Code) -> Level {
    match code {
        Code::Ok if method.changes() => Level::INFO,
        Code::Ok => Level::DEBUG,
        // The orchestrator comes again by itself.
        Code::Aborted => Level::INFO,
        Code::Cancelled
        | Code::InvalidArgument
        | Code::DeadlineExceeded
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Unavailable
        | Code::Unauthenticated => Level::WARN,
        Code::Unknown | Code::Internal | Code::DataLoss => Level::ERROR,
    }
}

/// Returns the code as the gRPC documents write it.
pub(super) fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_whatever_is_quoted_in_it() {
        assert!(matches!(one_line("grün, \"so\""), Cow::Borrowed("grün, \"so\"")));
        let shown = one_line("a\nb\r\u{1b}[2J\u{9b}\u{2028}ü");
        assert_eq!(shown, "a\\nb\\r\\u{1b}[2J\\u{9b}\\u{2028}ü");
    }

    #[test]
    fn the_level_says_whose_business_it_is() {
        for (method, code, expected) in [
            (Method::CreateVolume, Code::Ok, Level::INFO),
            (Method::Probe, Code::Ok, Level::DEBUG),
            (Method::ListVolumes, Code::Ok, Level::DEBUG),
            (Method::CreateVolume, Code::Aborted, Level::INFO),
            (Method::CreateVolume, Code::ResourceExhausted, Level::WARN),
            (Method::NodeGetVolumeStats, Code::NotFound, Level::WARN),
            (Method::NodeStageVolume, Code::Internal, Level::ERROR),
            (Method::Other, Code::Unknown, Level::ERROR),
        ] {
            assert_eq!(level(method, code), expected, "{method} {code:?}");
        }
    }
}
