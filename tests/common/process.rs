//! `orlop all` as a process: what an admin starts, what a node kills.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long a driver may take until it listens, on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running driver process.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// Its socket.
    pub socket: PathBuf,
    /// What it writes to stderr.
    pub log: PathBuf,
}

// === impl Process ===

impl Process {
    /// Starts a driver in the room with these lines of config, and waits until it listens or ends.
    pub(crate) fn start(room: &Path, config: &str, variables: &[(&str, &str)]) -> Self {
        let (file, socket, log) =
            (room.join("orlop.yaml"), room.join("csi.sock"), room.join("log"));
        let state = room.join("state");
        fs::write(&file, format!("nodeId: n1\nstateDir: {}\n{config}", state.display())).unwrap();
        let errors = fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_orlop"))
            .args(["all", "--log-level", "trace", "--config"])
            .arg(&file)
            .arg(format!("--endpoint=unix://{}", socket.display()))
            .envs(variables.iter().copied())
            .stderr(errors)
            .spawn()
            .unwrap();
        let mut process = Self { child, socket, log };
        process.wait_until_it_listens();
        process
    }

    fn wait_until_it_listens(&mut self) {
        let began = Instant::now();
        // A socket of a killed driver may still lie there: only one that takes a connection is this one's.
        while std::os::unix::net::UnixStream::connect(&self.socket).is_err() {
            if self.child.try_wait().unwrap().is_some() {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "the driver does not listen:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap())
    }

    /// Returns how the process ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Says whether it ends by itself within the time.
    pub(crate) async fn ends_within(&mut self, patience: Duration) -> bool {
        let began = Instant::now();
        while self.ended().is_none() {
            if began.elapsed() > patience {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        true
    }

    /// Stops the driver as kubelet does, and returns how it ended.
    pub(crate) fn stop(mut self) -> ExitStatus {
        kill(self.pid(), Signal::SIGTERM).unwrap();
        self.child.wait().unwrap()
    }

    /// Ends the driver as a node that loses power does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Returns all that the driver has logged.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // After a failed test; one that has ended cannot be killed, and that is as well.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
