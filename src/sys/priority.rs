//! Which thread comes first where there are more than processors.

use rustix::process::setpriority_process;

use super::failure::{Doing, Result};

/// The most that can be asked for, in the kernel's numbers.
const FIRST: i32 = -20;

/// Lets the calling thread, and those that it starts, come before others. It needs `CAP_SYS_NICE`.
pub fn hurry() -> Result<()> {
    // For the kernel no number means the calling thread, and not its process.
    setpriority_process(None, FIRST).doing(|| "let a thread come first")
}
