//! The threads of the program: one that answers, and those that wait for the kernel, which does the work.

use std::io;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

/// As many system calls and programs can wait for the kernel at once. Each volume on a disk that hangs holds one for
/// good, and those of the other disks must not wait for it. They are made when they are needed.
const BLOCKING: usize = 512;

/// Threads that wait for nothing end soon and give their stacks back.
const IDLE: Duration = Duration::from_secs(10);

/// Makes the runtime that everything runs on.
///
/// Answers, locks and lines need one thread and no more. Whatever waits for the kernel or for a program has a thread
/// of its own, see [`carried`](crate::sys::carried). A second one would cost half a megabyte and save nothing.
pub fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread()
        .max_blocking_threads(BLOCKING)
        .thread_keep_alive(IDLE)
        .thread_name("orlop")
        .enable_all()
        .build()
}
