//! Runs the few programs for which there is no system call: mkfs, fsck and their kin.
//!
//! An [`Invocation`] is plain data. Functions build it and tests compare it; nothing runs before
//! [`Invocation::run`]. There is no shell, no `PATH`, no environment; each program leads a process group of
//! its own, and each has a limit. What its output means is up to who asked.

mod capture;
mod error;
mod group;
mod invocation;
mod program;
mod programs;
mod run;

pub use error::ToolError;
pub use invocation::{Call, Invocation, OnLimit};
pub use program::Program;
pub use programs::Programs;
pub use run::Output;
