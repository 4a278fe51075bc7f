//! A program of the cluster, its log, and what a test does to it.

use std::fs::OpenOptions;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Mutex, PoisonError};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::mounts::Mounts;
use super::namespaces::Namespaces;

/// How much of a log is shown when something goes wrong.
const SHOWN: usize = 20;

/// A running program; it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Mutex<Child>,
    log: PathBuf,
}

// === impl Process ===

impl Process {
    /// Starts the program; what it says goes to the end of the log.
    pub(super) fn start(
        namespaces: &Namespaces,
        mounts: &Mounts,
        mut command: Command,
        log: &Path,
    ) -> Self {
        let said = OpenOptions::new().create(true).append(true).open(log).unwrap();
        command.stdout(said.try_clone().unwrap()).stderr(said);
        let child = namespaces.launch(mounts, command).unwrap();
        Self { child: Mutex::new(child), log: log.to_owned() }
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.lock().unwrap().id().try_into().unwrap())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Lets the program hang, and returns when none of its threads runs any more.
    pub(crate) fn pause(&self) {
        self.signal(Signal::SIGSTOP);
        let status = waitpid(self.pid(), Some(WaitPidFlag::WUNTRACED)).unwrap();
        assert_eq!(status, WaitStatus::Stopped(self.pid(), Signal::SIGSTOP));
    }

    /// Lets a program that hangs go on.
    pub(crate) fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Returns how the program ended, if it has.
    pub(crate) fn ended(&self) -> Option<ExitStatus> {
        self.child.lock().unwrap().try_wait().unwrap()
    }

    /// Ends the program as a node that loses power does.
    pub(crate) fn kill(&self) {
        let mut child = self.child.lock().unwrap();
        child.kill().unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(Signal::SIGKILL as i32), "it had ended before: {status}");
    }

    /// Stops the program as kubelet does, and returns how it ended.
    pub(crate) fn stop(&self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.child.lock().unwrap().wait().unwrap()
    }

    /// Returns all that the program has said.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended cannot be killed, and that is as well.
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(child.kill());
        drop(child.wait());
    }
}

/// Returns the last lines of each log in the directory.
pub(crate) fn last_words(logs: &Path) -> String {
    let logs = std::fs::read_dir(logs).unwrap().map(|entry| entry.unwrap().path());
    let last = |log: PathBuf| {
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        let lines: Vec<_> = said.lines().collect();
        let last = lines.get(lines.len().saturating_sub(SHOWN)..).unwrap_or_default();
        format!("--- {}\n{}\n", log.display(), last.join("\n"))
    };
    logs.map(last).collect()
}
