//! A call of a program, as data.

use std::ffi::OsString;
use std::fmt;
use std::os::fd::OwnedFd;
use std::time::Duration;

use super::error::words;
use super::{Output, Program, Programs, ToolError};

/// What to call, with what, and for how long it may run.
///
/// Arguments appear in errors and logs: no secrets in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// Which program.
    pub program: Program,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// How long it may take.
    pub limit: Duration,
    /// What happens when it takes longer.
    pub on_limit: OnLimit,
}

/// What happens to a program that takes too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLimit {
    /// It is killed, with all its children. For programs that only read, or whose work we throw away.
    Kill,
    /// It is asked to end and may take the time it needs for that; nothing ever kills it, not even the end of
    /// the driver. For programs that write to an existing volume.
    TerminateAndWait,
}

/// An invocation with what only this one run needs.
#[derive(Debug)]
pub struct Call {
    pub(super) invocation: Invocation,
    pub(super) holding: Option<OwnedFd>,
    pub(super) accepted: Vec<i32>,
}

// === impl Invocation ===

impl Invocation {
    /// Creates a call that is killed at its limit.
    pub fn new<A: Into<OsString>>(
        program: Program,
        args: impl IntoIterator<Item = A>,
        limit: Duration,
    ) -> Self {
        let args = args.into_iter().map(Into::into).collect();
        Self { program, args, limit, on_limit: OnLimit::Kill }
    }

    /// Changes what happens at the limit.
    #[must_use]
    pub fn on_limit(self, on_limit: OnLimit) -> Self {
        Self { on_limit, ..self }
    }

    /// Gives the program a descriptor that holds a lock, so that the lock lasts as long as the program does,
    /// whatever becomes of us. It gets it as its standard input, which a program of ours never reads.
    pub fn holding(self, lock: OwnedFd) -> Call {
        Call::from(self).holding(lock)
    }

    /// Counts these exit codes as success, instead of 0 alone.
    pub fn accepting(self, codes: &[i32]) -> Call {
        Call::from(self).accepting(codes)
    }

    /// Runs the program to its end.
    pub async fn run(self) -> Result<Output, ToolError> {
        Call::from(self).run().await
    }
}

impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&words(self.program, &self.args))
    }
}

// === impl Call ===

impl Call {
    /// See [`Invocation::holding`].
    #[must_use]
    pub fn holding(self, lock: OwnedFd) -> Self {
        Self { holding: Some(lock), ..self }
    }

    /// See [`Invocation::accepting`].
    #[must_use]
    pub fn accepting(self, codes: &[i32]) -> Self {
        Self { accepted: codes.to_vec(), ..self }
    }

    /// Runs the program to its end.
    pub async fn run(self) -> Result<Output, ToolError> {
        self.run_from(Programs::shared()).await
    }

    /// Runs the program to its end, as found in `programs`.
    pub async fn run_from(self, programs: &Programs) -> Result<Output, ToolError> {
        let path = programs.path(self.invocation.program)?;
        super::run::run(self, path).await
    }
}

impl From<Invocation> for Call {
    fn from(invocation: Invocation) -> Self {
        Self { invocation, holding: None, accepted: vec![0] }
    }
}
