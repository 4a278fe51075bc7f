//! Places where a test may end the process, between any two steps that change the disk.
//!
//! With the feature `faults` and `ORLOP_KILL_AT_STEP=n`, the n-th [`point`] that the process reaches is its
//! last instant: SIGKILL, as a node that loses power would have it; with `ORLOP_KILL_AT=name`, the first of that name is.
//! With `ORLOP_HANG_AT=name` every thread that reaches the point of that name stays there. Without the feature there is
//! nothing here.

/// Marks an instant at which the disk is in a state that a restart must be able to go on from.
#[cfg(not(feature = "faults"))]
#[inline]
pub fn point(_name: &'static str) {}

/// Ends the process here when its turn has come.
#[cfg(feature = "faults")]
pub fn point(name: &'static str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static LAST: OnceLock<Option<u64>> = OnceLock::new();
    static REACHED: AtomicU64 = AtomicU64::new(0);
    static HANG: OnceLock<Option<String>> = OnceLock::new();
    static KILL: OnceLock<Option<String>> = OnceLock::new();

    let is_named = |cell: &'static OnceLock<Option<String>>, variable| {
        cell.get_or_init(|| std::env::var(variable).ok()).as_deref() == Some(name)
    };
    if is_named(&HANG, "ORLOP_HANG_AT") {
        tracing::error!(name, "hanging here, as a test asked");
        loop {
            std::thread::park();
        }
    }

    let last = LAST.get_or_init(|| std::env::var("ORLOP_KILL_AT_STEP").ok()?.parse().ok());
    let reached = REACHED.fetch_add(1, Ordering::SeqCst) + 1;
    if *last == Some(reached) || is_named(&KILL, "ORLOP_KILL_AT") {
        tracing::error!(name, reached, "ending here, as a test asked");
        let killed = nix::sys::signal::kill(nix::unistd::getpid(), nix::sys::signal::SIGKILL);
        tracing::error!(?killed, "still here");
    }
}
