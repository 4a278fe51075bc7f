//! The threads of the program: few, because the work is the kernel's.

use std::io;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

/// Answers, locks and lines need no more.
const WORKERS: usize = 2;

/// As many system calls and programs can wait for the kernel at once; each hung mount holds one for good.
const BLOCKING: usize = 64;

/// Threads that wait for nothing end soon and give their stacks back.
const IDLE: Duration = Duration::from_secs(10);

/// Makes the runtime that everything runs on.
pub fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(BLOCKING)
        .thread_keep_alive(IDLE)
        .thread_name("orlop")
        .enable_all()
        .build()
}
