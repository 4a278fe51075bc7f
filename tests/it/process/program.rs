//! The real binary as a child process, which no test outlives.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// No test waits longer than this for a process.
const PATIENCE: Duration = Duration::from_secs(20);

/// A room with a config of a memory pool.
#[derive(Debug)]
pub struct Room {
    dir: tempfile::TempDir,
}

/// A running binary. It is killed on drop.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

/// How a process ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

// === impl Room ===

impl Room {
    /// Returns a room whose config has one memory pool and a state directory in the room.
    pub fn new() -> Self {
        let room = Self { dir: tempfile::tempdir().unwrap() };
        let state = room.path("state");
        room.write_config(&format!(
            "nodeId: n1\nstateDir: {}\npools: [{{name: play, kind: memory}}]\n",
            state.display()
        ));
        room
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn socket(&self) -> PathBuf {
        self.path("csi.sock")
    }

    pub fn config(&self) -> PathBuf {
        self.path("orlop.yaml")
    }

    pub fn write_config(&self, text: &str) {
        std::fs::write(self.config(), text).unwrap();
    }

    /// Starts `orlop all` in the room and waits until it listens.
    pub fn start(&self, more: &[&str]) -> Process {
        let endpoint = format!("unix://{}", self.socket().display());
        let config = self.config();
        let mut args = vec!["all", "--endpoint", &endpoint, "--config", config.to_str().unwrap()];
        args.extend(more);
        let mut process = Process::start(&args, &[]);
        process.wait_for(&self.path("state/admin.sock"));
        process
    }
}

// === impl Process ===

impl Process {
    /// Starts the binary with these arguments and nothing in its environment but these variables.
    pub fn start(args: &[&str], variables: &[(&str, &str)]) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a test starts the binary itself")]
        let mut command = Command::new(env!("CARGO_BIN_EXE_orlop"));
        command.args(args).env_clear().envs(variables.iter().copied());
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { child: command.spawn().unwrap() }
    }

    /// Waits until somebody listens at the path.
    pub fn wait_for(&mut self, socket: &Path) {
        let began = Instant::now();
        while std::os::unix::net::UnixStream::connect(socket).is_err() {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("it ended with {status}: {}", read(self.child.stderr.take()));
            }
            assert!(began.elapsed() < PATIENCE, "nobody listens at {}", socket.display());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Reads its stderr up to the first line that holds the text, and returns that line.
    pub fn line_with(&mut self, text: &str) -> String {
        let mut line = Vec::new();
        let mut byte = [0];
        // Byte by byte, so that the rest is there for whoever reads to its end.
        loop {
            self.child.stderr.as_mut().unwrap().read_exact(&mut byte).unwrap();
            match byte {
                [b'\n'] if String::from_utf8_lossy(&line).contains(text) => break,
                [b'\n'] => line.clear(),
                [byte] => line.push(byte),
            }
        }
        String::from_utf8(line).unwrap()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Asks it to stop and waits for its end.
    pub fn stop(self) -> Ended {
        self.signal(Signal::SIGTERM);
        self.end()
    }

    /// Waits for its end.
    pub fn end(mut self) -> Ended {
        let (stdout, stderr) = (self.child.stdout.take(), self.child.stderr.take());
        let stdout = std::thread::spawn(move || read(stdout));
        let stderr = std::thread::spawn(move || read(stderr));
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(began.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        };
        Ended {
            code: status.code(),
            stdout: stdout.join().unwrap(),
            stderr: stderr.join().unwrap(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already in most tests.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn read(from: Option<impl Read>) -> String {
    let mut text = String::new();
    if let Some(mut from) = from {
        from.read_to_string(&mut text).unwrap();
    }
    text
}
