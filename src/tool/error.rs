//! How calling a program can go wrong.

use std::ffi::OsString;
use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use super::Program;

/// A program that was not run, or did not do what it was run for.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// It is in none of the directories.
    #[error("{program} is not installed (package {})", program.package())]
    Missing {
        /// Which program.
        program: Program,
    },
    /// The system would not start it or wait for it.
    #[error("{program} could not be started")]
    Start {
        /// Which program.
        program: Program,
        /// The system's answer.
        source: io::Error,
    },
    /// It ended in another way than the accepted ones.
    #[error("{} failed ({status}): {}", words(*program, args), last_words(stderr))]
    Failed {
        /// Which program.
        program: Program,
        /// What it was called with.
        args: Vec<OsString>,
        /// How it ended.
        status: ExitStatus,
        /// The end of what it wrote to its standard error.
        stderr: String,
    },
    /// It took longer than its limit, and was ended or could not be.
    #[error("{program} was not done after {limit:?}")]
    TooSlow {
        /// Which program.
        program: Program,
        /// Its limit.
        limit: Duration,
    },
    /// It ended well, but what it wrote makes no sense to us.
    #[error("{program} wrote what we do not understand: {what}")]
    Unreadable {
        /// Which program.
        program: Program,
        /// What was wrong with its output.
        what: String,
    },
}

/// Returns a call as one would type it, for people.
pub(super) fn words(program: Program, args: &[OsString]) -> String {
    let args = args.iter().map(|arg| arg.to_string_lossy());
    let words: Vec<_> = std::iter::once(program.name().into()).chain(args).collect();
    words.join(" ")
}

/// Returns the last lines in one, which is where programs say why they gave up.
fn last_words(stderr: &str) -> String {
    const LINES: usize = 4;
    let lines: Vec<_> = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().join("; ")
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn messages_say_what_a_person_needs() {
        let program = Program::MkfsXfs;
        let args = vec!["-f".into(), "/pool/new/v-1/data.img".into()];
        let status = ExitStatus::from_raw(1 << 8);
        let stderr = "one\ntwo\n\nthree\nfour\n  five  \n".to_owned();
        let failed = ToolError::Failed { program, args, status, stderr };
        let expected = "mkfs.xfs -f /pool/new/v-1/data.img failed (exit status: 1): \
                        two; three; four; five";
        assert_eq!(failed.to_string(), expected);
        let slow = ToolError::TooSlow { program, limit: Duration::from_secs(30) };
        assert_eq!(slow.to_string(), "mkfs.xfs was not done after 30s");
    }
}
