//! A program that runs, with all its children: they are one process group.

use std::io;
use std::process::ExitStatus;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Child;

use super::OnLimit;

/// How readily the kernel takes the program's memory when there is none left: it can be repeated, the driver
/// serves everybody.
const OOM_SCORE_ADJUST: &str = "500";

/// A running program. Dropped before its end, it is killed or left alone as its call wants it.
#[derive(Debug)]
pub(super) struct Group {
    child: Child,
    /// The group's number, until the program was waited for: then the kernel may give it to others.
    leader: Option<Pid>,
    on_drop: OnLimit,
}

// === impl Group ===

impl Group {
    /// Takes charge of a program that leads a group of its own.
    pub(super) fn new(child: Child, on_drop: OnLimit) -> Self {
        let leader = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let group = Self { child, leader, on_drop };
        group.offer_to_oom_killer();
        group
    }

    /// Waits for the program's end. It may be dropped and called again.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        self.leader = None;
        Ok(status)
    }

    /// Sends a signal to all of the group.
    pub(super) fn signal(&self, signal: Signal) {
        let Some(leader) = self.leader else { return };
        if let Err(errno) = kill_process_group(leader, signal) {
            tracing::debug!(?leader, %errno, "the process group took no signal");
        }
    }

    fn offer_to_oom_killer(&self) {
        let Some(leader) = self.leader else { return };
        let path = format!("/proc/{}/oom_score_adj", leader.as_raw_pid());
        if let Err(error) = std::fs::write(&path, OOM_SCORE_ADJUST) {
            tracing::debug!(path, %error, "not written");
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        match self.on_drop {
            OnLimit::Kill => self.signal(Signal::KILL),
            OnLimit::TerminateAndWait => {}
        }
    }
}
