//! Why a verb did not do what it was asked, told as one sentence on stderr.

use std::error::Error as StdError;
use std::io::Write;
use std::process::ExitCode;

use crate::config::{ConfigError, NoHostName};
use crate::error::Cause;

/// Why a verb did not do what it was asked.
#[derive(Debug)]
pub enum Failure {
    /// The command line, the environment or the config is wrong.
    Misconfigured(Cause),
    /// It could not be done.
    Failed(Cause),
}

/// The exit code of a wrong command line, which clap uses, too.
const MISCONFIGURED: u8 = 2;

/// Tells the failure, with the whole chain of its causes, and returns the exit code that belongs to it.
pub fn tell(failure: &Failure) -> ExitCode {
    let (cause, code) = match failure {
        Failure::Misconfigured(cause) => (cause, misconfigured()),
        Failure::Failed(cause) => (cause, ExitCode::FAILURE),
    };
    // Without a stderr there is nobody left to tell; the exit code says it, too.
    drop(writeln!(std::io::stderr(), "orlop: {}", sentence(cause.as_ref())));
    code
}

/// Returns the exit code of a wrong command line or config.
pub(super) fn misconfigured() -> ExitCode {
    ExitCode::from(MISCONFIGURED)
}

/// Returns the error with the whole chain of its causes.
pub(super) fn sentence(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}

// === impl Failure ===

impl Failure {
    /// Returns the text as a mistake of whoever started the program.
    pub(super) fn misconfigured(text: impl Into<Cause>) -> Self {
        Self::Misconfigured(text.into())
    }

    /// Returns the text as what could not be done.
    pub(super) fn failed(text: impl Into<Cause>) -> Self {
        Self::Failed(text.into())
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let cause: Cause = error.into();
        if cause.is::<ConfigError>() || cause.is::<NoHostName>() {
            return Self::Misconfigured(cause);
        }
        Self::Failed(cause)
    }
}
